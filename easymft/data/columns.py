"""What the columns of a user's data mean, and the checks every row goes through."""

import difflib
import math
from collections.abc import Iterable
from typing import Any

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "valid": "dev",
    "val": "dev",
    "validation": "dev",
    "test": "test",
}
MAX_CELL_CHARACTERS = 1_000_000


def nearest_hint(name: str, known: Iterable[str]) -> str:
    """`; nearest: 'x'` if a known name is like `name`, else nothing."""
    by_folded = {other.strip().casefold(): other for other in known}
    close = difflib.get_close_matches(name.strip().casefold(), by_folded, n=1, cutoff=0.5)
    return f"; nearest: {by_folded[close[0]]!r}" if close else ""


def to_name(value: Any) -> str | None:
    """A label, domain or id as text: kept exactly, whole numbers without a fraction."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    return str(value) if isinstance(value, int) else None


def row_faults(row: dict[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with a row of raw values by role: (role at fault, fault) pairs."""
    faults = []
    for role, value in row.items():
        if role in ("text", "text_pair"):
            fault = _text_fault(value)
        elif role in ("label", "domain", "id"):
            fault = _name_fault(value)
        elif role == "split":
            known = to_name(value) in SPLIT_NAMES
            fault = None if known else f"must be train, dev or test. Received: {value!r}"
        else:
            known = to_weight(value) is not None
            fault = None if known else f"must be a finite number. Received: {value!r}"
        if fault:
            faults.append((role, fault))
    return faults


def to_weight(value: Any) -> float | None:
    """A finite number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _name_fault(value: Any) -> str | None:
    name = to_name(value)
    if name is None or not name.strip():
        return "is empty; every text needs one"
    if not _is_unicode(name):
        return "holds half a surrogate pair, which is no Unicode text"
    return None


def _text_fault(text: Any) -> str | None:
    if text is None:
        return "is missing"
    if not isinstance(text, str):
        return f"must be text. Received: a {type(text).__name__}"
    if not text or text.isspace():
        return "is empty"
    if len(text) > MAX_CELL_CHARACTERS:
        return f"has {len(text):,} characters; at most {MAX_CELL_CHARACTERS:,} are read"
    if not _is_unicode(text):
        return "holds half a surrogate pair, which is no Unicode text"
    return None


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
