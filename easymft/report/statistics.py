"""How sure a difference between two methods is: paired over texts and over seeds."""

from collections.abc import Mapping, Sequence

import numpy as np

# domain -> text id -> 1.0 right, 0.0 wrong; one such mapping per seed
Hits = Mapping[str, Mapping[str, float]]


def mean_and_error(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean over seeds and its standard error; no error from one seed."""
    values = np.asarray(values, float)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else None
    return float(values.mean()), None if error is None else float(error)


def paired_difference(
    one: Sequence[Hits],
    other: Sequence[Hits],
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Difference of two methods' average accuracies with a bootstrap interval.

    Both methods answered the same texts with the same seeds. Every draw resamples seeds and,
    within each domain, texts, and keeps the pairs together (Efron & Tibshirani 1993; percentile
    interval). Texts that every seed was tested on are drawn once for all seeds, as they are what
    the seeds share; test texts that differ between seeds are drawn for each.

    Args:
        one: Per seed, who was right: domain -> text id -> 1 or 0.
        other: The same of the method compared with, seed by seed.
        draws: Number of bootstrap draws.
        level: Coverage of the interval.
        seed: Seed of the draws.

    Returns:
        The mean difference over domains and seeds, and its interval's two ends.

    Raises:
        ValueError: The two were not tested on the same texts.
    """
    random = np.random.default_rng(seed)
    domains = [domain for domain, texts in one[0].items() if texts]
    totals = np.zeros((draws, len(one)))  # of every draw, the difference under each seed
    observed = np.zeros(len(one))
    every_seed = list(range(len(one)))
    for domain in domains:
        gains = [_gain(a[domain], b[domain]) for a, b in zip(one, other, strict=True)]
        shared = all(gain.keys() == gains[0].keys() for gain in gains)
        for seeds in [every_seed] if shared else [[number] for number in every_seed]:
            texts = [[gains[number][key] for number in seeds] for key in gains[seeds[0]]]
            # Few kinds of text are quickly drawn: those that fare alike under all seeds are one.
            kinds, counts = np.unique(texts, axis=0, return_counts=True)
            totals[:, seeds] += _resample(random, counts, draws) @ kinds / len(domains)
            observed[seeds] += counts @ kinds / counts.sum() / len(domains)
    means = (totals * _resample(random, np.ones(len(one), int), draws)).sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(observed.mean()), float(low), float(high)


def _gain(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    if one.keys() != other.keys():
        raise ValueError("`one` and `other` must have been tested on the same texts")
    return {key: one[key] - other[key] for key in one}


def _resample(random: np.random.Generator, counts: np.ndarray, draws: int) -> np.ndarray:
    """Shares `(draws, kinds)` of each kind when all `counts.sum()` things are drawn anew."""
    total = counts.sum()
    return random.multinomial(total, counts / total, size=draws) / total
