"""Ends of axes, such that what hardly varies looks as if it hardly varied."""

from collections.abc import Sequence

import numpy as np

LEAST = 0.02  # of the values' size: what an axis spans at least
_LARGEST = 1e100  # beyond, drawing overflows


def drawable(values: Sequence[float]) -> np.ndarray:
    """Return the values as float64, NaN in the place of what no picture can show."""
    values = np.asarray(values, dtype=float)
    return np.where(np.abs(values) < _LARGEST, values, np.nan)


def spread(values: np.ndarray, least: float = 0.0) -> tuple[float, float]:
    """Return the ends of an axis around values, 0 and 1 if none is a number.

    Args:
        values: Any shape; NaN and what `drawable` drops do not count.
        least: What the axis spans at least, beside `LEAST` of the size of the values.
    """
    known = drawable(values.ravel())
    known = known[~np.isnan(known)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    missing = max(LEAST * max(abs(low), abs(high)), least) - (high - low)
    if missing > 0:
        low, high = low - missing / 2, high + missing / 2
    margin = 0.05 * (high - low) or 1.0  # only zeros
    return low - margin, high + margin
