"""One score from out-of-fold probabilities and typicality: how unlikely a text's label is."""

import dataclasses

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from easymft.auditing.judgements import Judgements
from easymft.errors import InputError

_LEAST = 1e-9  # probability that is told from none


@dataclasses.dataclass(frozen=True)
class Suspicion:
    """How far labels are to be doubted.

    Attributes:
        score: float `(texts,)`, 1 minus the probability of the label that a text has.
        suggested: int `(texts,)`, the most probable class.
        probabilities: float `(texts, classes)`, of all parts together.
        parts: What probability, typicality and, where they were asked, words count.
    """

    score: np.ndarray
    suggested: np.ndarray
    probabilities: np.ndarray
    parts: tuple[float, ...]


def suspicion(judged: Judgements, labels: np.ndarray) -> Suspicion:
    """Return how far the labels are to be doubted.

    The parts are put together as

        P(m | x) proportional to p(m | x)^a exp(b t(x, m)) w(m | x)^c,

    where p is the out-of-fold probability, t the typicality as a text of class m, and w the
    out-of-fold probability by words alone. a, b and c, not below 0, are those under which the given
    labels are most probable: a conditional logit (McFadden 1974) on these features, stacked on
    held-out answers (Wolpert 1992). Nobody has to say how much
    each counts, and no label that is known to be wrong is needed. Probabilities that are fitted so
    are calibrated: of texts that score s, a share s has another label than a text like them would.
    Where labels are wrong that is more than the share of wrong ones, since texts that no model
    tells apart score 0.5 too.

    Args:
        judged: By models that did not learn from the texts.
        labels: int `(texts,)`.
    """
    allowed = np.isfinite(judged.typicalities)
    typicalities = np.where(allowed, judged.typicalities, 0.0)
    scale = typicalities[allowed].std() or 1.0
    features = [_logs(judged.probabilities), typicalities / scale]
    if judged.words is not None:
        features.append(_logs(judged.words))
    places = np.arange(len(labels))

    def combined(weights: np.ndarray) -> np.ndarray:
        logits = sum(w * part for w, part in zip(weights, features, strict=True))
        return log_softmax(np.where(allowed, logits, -np.inf), axis=1)

    def loss(weights: np.ndarray) -> float:
        # A label that the domain does not have counts as impossible, whatever the weights.
        return -float(np.maximum(combined(weights)[places, labels], np.log(_LEAST)).mean())

    start = [1.0, *[0.1] * (len(features) - 1)]
    found = minimize(loss, start, bounds=[(0, None)] * len(features)).x
    probabilities = np.exp(combined(found))
    return Suspicion(
        score=1 - probabilities[places, labels],
        suggested=probabilities.argmax(axis=1),
        probabilities=probabilities,
        parts=(float(found[0]), float(found[1] / scale), *map(float, found[2:])),
    )


def _logs(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, _LEAST))


def label_issues(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return which labels cleanlab takes for wrong, bool `(texts,)`.

    Args:
        probabilities: Out-of-fold, `(texts, classes)`.
        labels: int `(texts,)`.

    Raises:
        InputError: cleanlab is not installed.

    Reference: Northcutt, Jiang, Chuang: Confident Learning: Estimating Uncertainty in Dataset
    Labels, JAIR 2021.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        message = 'needs cleanlab; pip install "easymft[audit]"'
        raise InputError(message, field="--mode audit") from None
    # It knows no class that has no text.
    present, codes = np.unique(labels, return_inverse=True)
    if len(present) < 2:
        return np.zeros(len(labels), bool)
    own = np.maximum(probabilities[:, present], _LEAST)
    return find_label_issues(codes, own / own.sum(axis=1, keepdims=True), n_jobs=1)
