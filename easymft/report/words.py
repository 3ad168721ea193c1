"""Figures and texts in the words of a page."""

import math
from collections.abc import Sequence
from typing import Any

MINUS, SPACE = "\N{MINUS SIGN}", "\N{NO-BREAK SPACE}"
_NAMED = 6  # most names that a sentence lists


def is_number(value: Any) -> bool:
    """Return whether a figure is there and finite."""
    return value is not None and math.isfinite(value)


def percent(share: float | None, missing: str = "?") -> str:
    """Return a share in percent, without the sign."""
    return f"{100 * share:.1f}" if is_number(share) else missing


def percent_and_error(mean: float, error: float | None) -> str:
    """Return a mean share in percent with its standard error, if it has one."""
    return percent(mean) if error is None else f"{percent(mean)} ± {percent(error)}"


def signed(value: float, digits: int = 2) -> str:
    """Return a number with a proper minus sign."""
    return f"{value:.{digits}f}".replace("-", MINUS)


def duration(seconds: float) -> str:
    """Return `41 s`, `3.4 min` or `2.1 h`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.{0 if seconds >= 10 * size else 1}f}{SPACE}{unit}"
    return f"{seconds:.0f}{SPACE}s"


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """Return `1 domain` or `2 domains`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def one_line(text: Any, limit: int | None = 300) -> str:
    """Return a text on one line, cut to `limit` characters; an ellipsis says so."""
    line = " ".join(str(text).split())
    return line if limit is None or len(line) <= limit else line[: limit - 1] + "…"
