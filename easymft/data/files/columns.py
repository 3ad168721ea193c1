"""What the columns of a user's data mean, and the checks every row goes through."""

import math
import re
from typing import Any

from easymft.errors import shown

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "valid": "dev",
    "val": "dev",
    "validation": "dev",
    "test": "test",
}
# A novel is half a million characters; what is longer is no text but a quote never closed.
MAX_CELL_CHARACTERS = 1_000_000
# Labels, domains and ids stand in tables, messages and file names; what is longer is a text.
MAX_NAME_CHARACTERS = 500

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


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
            fault = None if known else f"must be train, dev or test. Received: {shown(value)}"
        else:
            known = to_weight(value) is not None
            fault = None if known else f"must be a finite number. Received: {shown(value)}"
        if fault:
            faults.append((role, fault))
    return faults


def to_weight(value: Any) -> float | None:
    """A finite number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _name_fault(value: Any) -> str | None:
    name = to_name(value)
    if name is None and value not in (None, "") and value == value:
        return f"must be text or a number. Received: a {type(value).__name__}"
    if name is None or not name.strip():
        return "is empty; every text needs one"
    if len(name) > MAX_NAME_CHARACTERS:
        return (
            f"has {len(name):,} characters, at most {MAX_NAME_CHARACTERS} make a name; is this the"
            " right column?"
        )
    if _CONTROL.search(name):
        return f"holds a line end or another control character. Received: {shown(name)}"
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
    if "\0" in text:
        return "holds a NUL character: a damaged file, or no text at all"
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
