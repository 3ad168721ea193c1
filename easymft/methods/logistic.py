"""Logistic regression on fixed features: one head over all domains, or one for each, shrunk."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

Features = Any  # a numpy array or a scipy.sparse.csr_array, `(texts, features)`

# Inverse strengths of the L2 penalty, and how freely a domain's own part moves beside the shared.
STRENGTHS = tuple(10.0**power for power in (-3, -2, -1, 0, 1, 2))
FREEDOMS = (0.1, 0.3, 1.0)
FOLDS = 5
_MOST = 2_000  # texts that strength and freedom are chosen on
_NEVER = -1e4  # the logit of a class without training texts


class Head(NamedTuple):
    """A linear classifier.

    Attributes:
        kernel: `(features, classes)` float32.
        bias: `(classes,)` float32; of a class without training texts so low that it never wins.
    """

    kernel: np.ndarray
    bias: np.ndarray


def fit_head(
    features: Features,
    labels: np.ndarray,
    cells: np.ndarray,
    num_classes: int,
    weights: np.ndarray | None = None,
    strength: float | None = None,
) -> Head:
    """Fit one head, its strength chosen by cross-validation.

    Args:
        features: `(n, features)`.
        labels: `(n,)` int.
        cells: `(n,)` int, by which the folds are stratified: domain and class.
        num_classes: Number of classes; some may have no text.
        weights: `(n,)` float, of the texts in the loss; `None`: all count alike.
        strength: What `best_strength` found before; `None`: it is asked now.
    """
    if len(set(labels)) == 1:
        return _constant(labels[0], features.shape[1], num_classes)
    if strength is None:
        strength, _ = _best(features, labels, cells, weights)
    return _as_head(_fitted(features, labels, weights, strength), num_classes)


class Shrinkage(NamedTuple):
    """How heads of domains are shrunk; see `fit_domain_heads`.

    Attributes:
        freedom: How freely a domain's own part moves beside the shared one.
        strength: Inverse strength of the penalty on both.
    """

    freedom: float
    strength: float


def fit_domain_heads(
    features: np.ndarray,
    labels: np.ndarray,
    domains: np.ndarray,
    num_classes: int,
    num_domains: int,
    weights: np.ndarray | None = None,
    shrinkage: Shrinkage | None = None,
) -> list[Head]:
    """Fit one head per domain, shrunk towards what all domains share.

    A text of domain k has the features `[x, f * x at k's own place]`: the penalty lets a domain's
    part differ from the shared one by as much as its texts tell, the more the larger f, the
    freedom. Strength and freedom are chosen together by cross-validation.

    Args:
        features: `(n, features)` float.
        labels: `(n,)` int.
        domains: `(n,)` int.
        num_classes: Number of classes.
        num_domains: Number of domains; one without texts gets the shared part.
        weights: `(n,)` float, of the texts in the loss; `None`: all count alike.
        shrinkage: What `best_shrinkage` found before; `None`: it is asked now.

    Reference: Daumé III: Frustratingly easy domain adaptation, ACL 2007; Finkel, Manning:
    Hierarchical Bayesian domain adaptation, NAACL 2009, for the view as shrinkage.
    """
    if len(set(labels)) == 1:
        return [_constant(labels[0], features.shape[1], num_classes)] * num_domains
    if shrinkage is None:
        shrinkage = best_shrinkage(features, labels, domains, num_classes, num_domains, weights)
    augmented = _augmented(features, domains, num_domains, shrinkage.freedom)
    whole = _as_head(_fitted(augmented, labels, weights, shrinkage.strength), num_classes)
    shared, *own = np.split(whole.kernel, num_domains + 1)
    return [Head(shared + np.float32(shrinkage.freedom) * part, whole.bias) for part in own]


def best_shrinkage(
    features: np.ndarray,
    labels: np.ndarray,
    domains: np.ndarray,
    num_classes: int,
    num_domains: int,
    weights: np.ndarray | None = None,
) -> Shrinkage:
    """Return the shrinkage with the lowest log loss in cross-validation; see `fit_domain_heads`."""
    cells, trials = domains * num_classes + labels, {}
    for freedom in FREEDOMS:
        augmented = _augmented(features, domains, num_domains, freedom)
        strength, loss = _best(augmented, labels, cells, weights)
        trials[freedom] = (loss, strength)
    freedom = min(trials, key=lambda freedom: trials[freedom])
    return Shrinkage(freedom, trials[freedom][1])


def standardized(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features of mean 0 and deviation 1, and the mean and deviation they had."""
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    return (features - mean) / deviation, mean, deviation


def unstandardized(head: Head, mean: np.ndarray, deviation: np.ndarray) -> Head:
    """Return the head for raw features that a head for standardized ones amounts to."""
    kernel = head.kernel / deviation[:, None]
    return Head(kernel.astype(np.float32), (head.bias - mean @ kernel).astype(np.float32))


def _augmented(
    features: np.ndarray, domains: np.ndarray, num_domains: int, freedom: float
) -> scipy.sparse.csr_array:
    texts, width = features.shape
    columns = (domains[:, None] * width + np.arange(width)).ravel()
    starts = np.arange(0, texts * width + 1, width)
    own = scipy.sparse.csr_array(
        ((freedom * features).ravel(), columns, starts), shape=(texts, num_domains * width)
    )
    return scipy.sparse.hstack([scipy.sparse.csr_array(features), own], "csr")


def best_strength(features: Features, labels: np.ndarray, cells: np.ndarray) -> float:
    """Return the strength of `fit_head` with the lowest log loss in cross-validation."""
    return _best(features, labels, cells, None)[0]


def _best(
    features: Features, labels: np.ndarray, cells: np.ndarray, weights: np.ndarray | None
) -> tuple[float, float]:
    """Return the strength with the lowest log loss on held-out folds, and that loss.

    A strength is the variance of the weights beforehand, whatever the number of texts: of many,
    some tell as well which is best.
    """
    if len(labels) > _MOST:
        rows = np.sort(np.random.default_rng(0).choice(len(labels), _MOST, replace=False))
        features, labels, cells = features[rows], labels[rows], cells[rows]
        weights = None if weights is None else weights[rows]
    folds = list(_folds(labels, cells))
    if not folds:
        return 1.0, np.inf
    losses = []
    for strength in STRENGTHS:
        parts = []
        for train, test in folds:
            own, others = (None if weights is None else weights[part] for part in (train, test))
            model = _fitted(features[train], labels[train], own, strength)
            answers = model.predict_proba(features[test])
            loss = log_loss(labels[test], answers, sample_weight=others, labels=model.classes_)
            parts.append(loss)
        losses.append(float(np.mean(parts)))
    best = int(np.argmin(losses))
    return STRENGTHS[best], losses[best]


def _folds(labels: np.ndarray, cells: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield folds that every class takes part in, stratified by cell; none for too few texts."""
    fewest = np.unique(labels, return_counts=True)[1].min()
    if fewest < 2:
        return
    by = cells if np.unique(cells, return_counts=True)[1].min() >= 2 else labels
    folds = StratifiedKFold(int(min(FOLDS, np.unique(by, return_counts=True)[1].min())))
    yield from folds.split(np.zeros(len(labels)), by)


def _fitted(
    features: Features, labels: np.ndarray, weights: np.ndarray | None, strength: float
) -> LogisticRegression:
    model = LogisticRegression(C=strength, max_iter=1000)
    return model.fit(features, labels, sample_weight=weights)


def _constant(label: int, width: int, num_classes: int) -> Head:
    """Return what there is to learn where all texts are of one class."""
    bias = np.full(num_classes, _NEVER, np.float32)
    bias[label] = 0
    return Head(np.zeros((width, num_classes), np.float32), bias)


def _as_head(model: LogisticRegression, num_classes: int) -> Head:
    coefficients, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        # scikit-learn keeps the difference of two classes alone.
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    kernel = np.zeros((coefficients.shape[1], num_classes), np.float32)
    bias = np.full(num_classes, _NEVER, np.float32)
    kernel[:, model.classes_] = coefficients.T
    bias[model.classes_] = intercept
    return Head(kernel, bias)
