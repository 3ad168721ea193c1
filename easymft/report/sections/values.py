"""From what a run leaves to what pictures take."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from easymft.report import plots
from easymft.report.facts import Facts
from easymft.report.intervals import accuracy_interval
from easymft.report.words import is_number


def percent_point(
    value: float | None, interval: Sequence[float] | None = None
) -> plots.Point | None:
    """Return a share, and its interval where known, in percent; `None` if it is no number."""
    if not is_number(value):
        return None
    return plots.Point(100 * value, *(100 * end for end in interval or ()))


def share_point(share: float | None, texts: int) -> plots.Point | None:
    """Return a share of so many texts, with Wilson's interval, in percent."""
    if not (texts and is_number(share)):
        return percent_point(share)
    return percent_point(share, accuracy_interval(round(share * texts), texts))


def strings(table: pa.Table, column: str) -> np.ndarray:
    """Return a column of names: `(rows,)` objects."""
    return np.array(table[column].to_pylist(), dtype=object)


def in_order(values: np.ndarray, vocabulary: Sequence[str]) -> list[str]:
    """Return the names that occur, in the vocabulary's order, then any that it lacks."""
    present = set(values)
    known = [name for name in vocabulary if name in present]
    return known + sorted(present.difference(known))


def vocabulary(summary: Facts, name: str) -> list[str]:
    """Return `labels` or `domains` of the run's data; empty if they have not been read."""
    return summary["stages"].get("validate", {}).get(name) or []
