"""Cross-fitting on a frozen encoder: logistic regressions, shrunk towards what domains share."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from easymft.auditing.judgements import Judgements
from easymft.config import MFT
from easymft.methods import logistic, typicality
from easymft.models.pseudo_labels import class_typicalities
from easymft.progress import progress_bar


class Heads(NamedTuple):
    """Heads of domains, for embeddings as they are.

    Attributes:
        heads: One a domain, for standardized embeddings.
        mean: `(hidden,)`, what is taken away to standardize.
        deviation: `(hidden,)`, what is divided by.
    """

    heads: Sequence[logistic.Head]
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def fit(
        cls,
        embeddings: np.ndarray,
        labels: np.ndarray,
        domains: np.ndarray,
        shape: tuple[int, int],
        shrinkage: logistic.Shrinkage | None = None,
    ) -> "Heads":
        """Return heads fitted to texts.

        Args:
            embeddings: E(x), `(texts, hidden)` float.
            labels: int `(texts,)`.
            domains: int `(texts,)`.
            shape: Numbers of domains and of classes.
            shrinkage: See `logistic.fit_domain_heads`.
        """
        num_domains, num_classes = shape
        features, mean, deviation = logistic.standardized(embeddings)
        heads = logistic.fit_domain_heads(
            features, labels, domains, num_classes, num_domains, shrinkage=shrinkage
        )
        return cls(heads, mean, deviation)

    def probabilities(self, embeddings: np.ndarray, domains: np.ndarray) -> np.ndarray:
        """Return class probabilities of texts, each by its domain's head, `(texts, classes)`."""
        features = (embeddings - self.mean) / self.deviation
        logits = np.empty((len(features), len(self.heads[0].bias)))
        for code, head in enumerate(self.heads):
            own = domains == code
            logits[own] = features[own] @ head.kernel + head.bias
        return softmax(logits, axis=1)


def best_shrinkage(
    embeddings: np.ndarray, labels: np.ndarray, domains: np.ndarray, shape: tuple[int, int]
) -> logistic.Shrinkage:
    """Return how heads of domains are best shrunk, by cross-validation on these texts.

    Args:
        embeddings: E(x), `(texts, hidden)` float.
        labels: int `(texts,)`.
        domains: int `(texts,)`.
        shape: Numbers of domains and of classes.
    """
    features, *_ = logistic.standardized(embeddings)
    num_domains, num_classes = shape
    return logistic.best_shrinkage(features, labels, domains, num_classes, num_domains)


def cross_fit(
    embeddings: np.ndarray,
    labels: np.ndarray,
    domains: np.ndarray,
    held_out: Sequence[np.ndarray],
    shape: tuple[int, int],
    shrinkage: logistic.Shrinkage,
    mft: MFT,
) -> Judgements:
    """Return what heads make of texts that they were not fitted to.

    Args:
        embeddings: E(x), `(texts, hidden)` float.
        labels: int `(texts,)`.
        domains: int `(texts,)`.
        held_out: The places of each fold.
        shape: Numbers of domains and of classes.
        shrinkage: Chosen once, on all texts: two numbers, of which one text tells nothing.
        mft: How typicality is computed.
    """
    num_domains, num_classes = shape
    layer = typicality.weighting(num_classes, num_domains, mft)
    judged = Judgements.none(len(labels), num_classes)
    with progress_bar("cross-fitting", len(held_out), unit="fold") as bar:
        for fold in held_out:
            train = np.setdiff1d(np.arange(len(labels)), fold)
            own = embeddings[train], labels[train], domains[train]
            heads = Heads.fit(*own, shape, shrinkage)
            layer.adapt(*own)
            asked = embeddings[fold], domains[fold]
            typicalities = class_typicalities(layer, *asked, num_classes)
            judged.put(fold, heads.probabilities(*asked), typicalities)
            bar.update()
    return judged
