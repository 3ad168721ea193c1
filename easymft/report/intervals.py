"""95 % intervals of figures that a run leaves without one."""

import numpy as np

_DRAWS = 1000


def accuracy_interval(hits: int, texts: int) -> tuple[float, float]:
    """Return Wilson's interval of `hits / texts`."""
    from scipy.stats import binomtest

    interval = binomtest(hits, texts).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def macro_f1_interval(confusion: list[list[int]]) -> tuple[float, float] | None:
    """Return a percentile bootstrap over the texts of a confusion matrix (rows: true classes).

    Returns:
        The interval; `None` where every text is right, or every text wrong: drawing from them again
        cannot show how they might have differed.
    """
    counts = np.asarray(confusion, dtype=float)
    if np.trace(counts) in (0, counts.sum()):
        return None
    draws = np.random.default_rng(0).multinomial(
        int(counts.sum()), counts.ravel() / counts.sum(), size=_DRAWS
    )
    scores = macro_f1(draws.reshape(_DRAWS, *counts.shape))
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


def macro_f1(confusions: np.ndarray) -> np.ndarray:
    """Return macro-F1 over the classes present or predicted: `(n, classes, classes)` to `(n,)`."""
    hits = np.diagonal(confusions, axis1=1, axis2=2)
    seen = confusions.sum(axis=1) + confusions.sum(axis=2)
    scores = np.divide(2 * hits, seen, out=np.full(hits.shape, np.nan), where=seen > 0)
    return np.nanmean(scores, axis=1)
