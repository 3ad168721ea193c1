"""How far shares have moved, and how far chance alone moves them."""

from dataclasses import dataclass
from typing import Self

import numpy as np

DRAWS = 1_000


@dataclass(frozen=True)
class Shift:
    """The population stability index of two samples of the same bins.

        PSI = sum over bins b of (q_b - p_b) * log(q_b / p_b)

    with p and q the shares of the reference and of the sample, each bin with half a text more, so
    that none is empty. It is the symmetric Kullback-Leibler divergence of the two.

    Attributes:
        index: PSI.
        low: Lower end of its 95 % range, when both samples are drawn anew from themselves.
        high: Upper end.
        by_chance: What the index stays below 95 times of 100 where nothing has moved: both samples
            drawn from the two together.

    Reference: Yurdakul, Naranjo: Statistical Properties of the Population Stability Index, Journal
    of Risk Model Validation 14, 2020.
    """

    index: float
    low: float
    high: float
    by_chance: float

    @classmethod
    def of(cls, reference: np.ndarray, sample: np.ndarray, seed: int = 0) -> Self:
        """Return the shift from one count of each bin to another.

        Args:
            reference: `(bins,)` int, texts of each bin.
            sample: `(bins,)` int.
            seed: Of the draws.
        """
        random = np.random.default_rng(seed)
        counts = [np.asarray(part) for part in (reference, sample)]
        again = [random.multinomial(part.sum(), part / part.sum(), DRAWS) for part in counts]
        both = (counts[0] + counts[1]) / (counts[0].sum() + counts[1].sum())
        unmoved = [random.multinomial(part.sum(), both, DRAWS) for part in counts]
        low, high = np.quantile(stability_index(*again), [0.025, 0.975])
        by_chance = np.quantile(stability_index(*unmoved), 0.95)
        return cls(float(stability_index(*counts)), float(low), float(high), float(by_chance))

    def is_beyond(self, limit: float) -> bool:
        """Return whether more has moved than `limit`, and than chance would move."""
        return self.index > max(limit, self.by_chance)


def stability_index(reference: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Return the index of counts, `(..., bins)` each: `(...)` float64."""
    shares = []
    for part in (reference, sample):
        filled = np.asarray(part, float) + 0.5
        shares.append(filled / filled.sum(axis=-1, keepdims=True))
    p, q = shares
    return ((q - p) * np.log(q / p)).sum(axis=-1)
