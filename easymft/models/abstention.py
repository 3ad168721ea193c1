"""From which score on answers are right as often as was promised."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

_FIRST = 0.25  # share of the texts that is tested first, if that is enough to show anything
_MOST_NEEDED = 100_000  # texts beyond which nobody is told how many would do


@dataclass(frozen=True)
class Threshold:
    """The lowest score that is answered, and what shows that.

    Attributes:
        value: The score; `None`: no text is answered.
        texts: Development texts looked at.
        answered: Those of them that are answered.
        right: Those of them that are answered with their class.
        needed: Where no text is answered, about how many development texts would be needed if more
            were like these; `None` otherwise, or where no number would do.
    """

    value: float | None
    texts: int
    answered: int
    right: int
    needed: int | None = None


def lowest_threshold(
    scores: np.ndarray, right: np.ndarray, target: float, confidence: float
) -> Threshold:
    """Return the lowest score from which on `target` of the answers are right.

    Texts are taken from the surest down. n_e is the smallest number of texts of which e errors or
    fewer would come with a probability of at most 1 - `confidence` if only `target` of the answers
    were right. For e = 0, 1, ..., but from a quarter of the texts on, where one error does not
    decide, it is tested whether the n_e surest texts have no more than e errors, and at last
    whether all texts have few enough; what is tested last before the first failure sets the
    threshold. Tests of a fixed order that end at the first failure need no correction for their
    number, so the answers are right at least that often with that confidence, over draws of
    development texts, for texts like them. Of texts that share a score all are taken or none.

    Args:
        scores: `(texts,)`, probability of the class that is answered.
        right: `(texts,)` bool, whether it is the text's class.
        target: Share of answers to be right, in (0, 1).
        confidence: In (0, 1).

    Reference: Angelopoulos, Bates, Candès, Jordan, Lei: Learn then Test, 2021 (fixed sequence
    testing); Clopper, Pearson 1934 for the binomial test; Geifman, El-Yaniv: Selective
    Classification for Deep Neural Networks, NeurIPS 2017, for the setting.
    """
    order = np.argsort(-scores, kind="stable")
    scores, errors = scores[order], np.cumsum(~right[order].astype(bool))
    total = len(scores)
    allowed = _allowed(np.arange(1, total + 1), target, confidence)
    tested = np.searchsorted(allowed, np.arange(allowed.max(initial=-1) + 1))
    if len(tested):
        first = np.searchsorted(tested, min(_FIRST * total, tested[-1]))
        tested = np.append(tested[first:], total - 1)
    # Of texts with one score none is surer than another: the last of them.
    tested = np.searchsorted(-scores, -scores[tested], side="right") - 1
    passed = np.minimum.accumulate(errors[tested] <= allowed[tested])
    if not passed.any():
        return Threshold(None, total, 0, 0, _needed(errors, target, confidence))
    last = int(tested[passed][-1])
    return Threshold(float(scores[last]), total, last + 1, int(last + 1 - errors[last]))


def _allowed(counts: np.ndarray, target: float, confidence: float) -> np.ndarray:
    """Return the most errors among so many answers that still show `target`; -1: not even none."""
    level, wrong = 1 - confidence, 1 - target
    errors = binom.ppf(level, counts, wrong)
    return np.where(binom.cdf(errors, counts, wrong) <= level, errors, errors - 1).astype(int)


def _needed(errors: np.ndarray, target: float, confidence: float) -> int | None:
    """Return how many texts like these, with `errors` among the surest 1, 2, ..., would do."""
    total = len(errors)
    if not total:
        return math.ceil(math.log(1 - confidence) / math.log(target))
    counts, factor = np.arange(1, total + 1), 1.0
    while factor * total <= _MOST_NEEDED:
        larger = np.floor(factor * counts).astype(int)
        if (np.ceil(factor * errors) <= _allowed(larger, target, confidence)).any():
            return math.ceil(factor * total)
        factor *= 1.1
    return None
