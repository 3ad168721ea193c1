"""How sure a difference between two methods is, and how sure a model is beside its accuracy."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def mean_and_error(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean over seeds and its standard error; no error from one seed."""
    values = np.asarray(values, float)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None
    return float(values.mean()), None if error is None else float(error)


def paired_difference(
    one: pd.DataFrame,
    other: pd.DataFrame,
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return the difference of two methods' average accuracies, with a bootstrap interval.

    Both methods answered the same texts under the same seeds. Every draw resamples seeds and,
    within each domain, texts, and keeps the pairs together (Efron & Tibshirani 1993; percentile
    interval). A text is drawn once for all seeds that were tested on it, since it is what they
    share; it is drawn from the texts that just these seeds were tested on, so that every seed has
    as many texts in each draw as it was tested on.

    Args:
        one: Who was right: a row per text and seed, with `seed`, `domain`, `id` and `right`.
        other: The same of the method compared with.
        draws: Number of bootstrap draws.
        level: Coverage of the interval.
        seed: Seed of the draws.

    Returns:
        The mean difference over domains and seeds, and its interval's two ends.

    Raises:
        ValueError: The two were not tested on the same texts, or twice on one.
    """
    gains = _gains(one, other)
    by_domain = gains.groupby("domain")
    observed = by_domain.mean()  # (domains, seeds), NaN where a seed was not tested on a domain
    random = np.random.default_rng(seed)
    drawn = np.zeros((draws, gains.shape[1]))
    for _, texts in by_domain:
        drawn += np.nan_to_num(_resample(random, texts.to_numpy(), draws))
    drawn /= observed.count().to_numpy()
    seeds = random.multinomial(drawn.shape[1], [1 / drawn.shape[1]] * drawn.shape[1], size=draws)
    means = (drawn * seeds).sum(axis=1) / drawn.shape[1]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(observed.mean().mean()), float(low), float(high)


def expected_calibration_error(
    confidence: np.ndarray, correct: np.ndarray, bins: int = 15
) -> float | None:
    """Return the gap between how sure a model is and how often it is right, averaged over texts.

        ECE = sum over bins b of n_b / n * |accuracy_b - mean confidence_b|

    where bin b of B holds the texts whose confidence lies in ((b - 1) / B, b / B].

    Args:
        confidence: `(texts,)`, the probability of the predicted class.
        correct: `(texts,)` bool, whether that class is right.
        bins: Number of bins B, of equal width.

    Returns:
        The error in [0, 1]; `None` where there is no text or a confidence is no number.

    Reference: Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017,
    equation 3.
    """
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    if not len(confidence) or not np.isfinite(confidence).all():
        return None
    # Clipped: rounding may leave a softmax a little above 1.
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    # n_b cancels: n_b * (accuracy - mean confidence) is the sum of the differences.
    gaps = np.bincount(index, weights=correct - confidence)
    return float(np.abs(gaps).sum() / len(confidence))


def _gains(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return what `one` gains on each text: rows (domain, id), a column per seed, NaN if untested.

    Raises:
        ValueError: See `paired_difference`.
    """
    one, other = (
        part.set_index(["domain", "id", "seed"], verify_integrity=True)["right"].astype(float)
        for part in (one, other)
    )
    if len(one) != len(other) or not one.index.isin(other.index).all():
        raise ValueError("`one` and `other` must have been tested on the same texts")
    return (one - other).unstack("seed")


def _resample(random: np.random.Generator, gains: np.ndarray, draws: int) -> np.ndarray:
    """Return mean gains `(draws, seeds)` when texts, the rows of `(texts, seeds)`, are drawn."""
    tested = ~np.isnan(gains)
    totals = np.zeros((draws, gains.shape[1]))
    for seeds in np.unique(tested, axis=0):
        texts = gains[(tested == seeds).all(axis=1)][:, seeds]
        # Few kinds of text are quickly drawn: those that fare alike under all seeds are one.
        kinds, counts = np.unique(texts, axis=0, return_counts=True)
        totals[:, seeds] += random.multinomial(len(texts), counts / len(texts), size=draws) @ kinds
    with np.errstate(invalid="ignore"):
        return totals / tested.sum(axis=0)
