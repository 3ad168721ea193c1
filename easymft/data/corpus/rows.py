"""What makes a row good, whatever its source, and the one name of a label, domain or id."""

import math
import numbers
import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from easymft.data.corpus.parts import UNLABELED
from easymft.errors import shown

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "valid": "dev",
    "val": "dev",
    "validation": "dev",
    "test": "test",
    "unlabeled": UNLABELED,
    "unlabelled": UNLABELED,
    "unsupervised": UNLABELED,
}
# A novel is half a million characters; what is longer is no text but a quote never closed.
MAX_CELL_CHARACTERS = 1_000_000
# Labels, domains and ids stand in tables, messages and file names; what is longer is a text.
MAX_NAME_CHARACTERS = 500

_TRUTH = ("True", "False", "TRUE", "FALSE")
_WHOLE_AS_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)\.0")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def to_name(value: object) -> str | None:
    """Return the one name of a label, domain or id, wherever it comes from.

    What `fit` and `predict` are given, what stands in a file, a data set, a data frame or a request
    to an exported model is named alike:

    - Text is kept as written (`"01"` is not `"1"`, `"Books"` not `"books"`), but for white space
      around it and the way its accents are stored (it becomes Unicode's composed form, NFC).
    - A whole number is its digits: `3`, `3.0`, `np.int64(3)`, `np.float32(3)`, `Decimal("3.00")`
      and the text `"3.0"`, as pandas writes a column of whole numbers with gaps, are all `"3"`.
    - Any other number is the shortest text that gives it back in its own precision:
      `np.float32(0.1)` is `"0.1"`.
    - Truth is `"true"` or `"false"`: `True`, `np.True_`, `"True"` (pandas), `"TRUE"` (Excel).
    - Nothing has no name: see `is_missing`; nor has what is neither text nor a finite number.

    Returns:
        The name, or None where there is none.
    """
    if isinstance(value, str):
        # Not `str(value)`, by which a member of an `Enum` of texts is called as in its class.
        return _text_name(str.__str__(value))
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, numbers.Real | Decimal) and not isinstance(value, np.timedelta64):
        return _number_name(value)
    return None


def is_missing(value: object) -> bool:
    """Return whether a value stands for nothing.

    That is None, NaN of any precision, `NaT`, pandas' `NA`, numpy's `masked`, and text of nothing
    but white space.
    """
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, str):
        return not value.strip()
    try:
        return bool(value != value)
    except (TypeError, ValueError, ArithmeticError):  # an array, say, which is no one value
        return False


def _text_name(text: str) -> str | None:
    name = text.strip()
    if name in _TRUTH:
        return name.lower()
    if _WHOLE_AS_FLOAT.fullmatch(name):
        return name[:-2] if name != "-0.0" else "0"
    return unicodedata.normalize("NFC", name) or None


def _number_name(value: Any) -> str | None:
    try:
        if value == int(value):
            return str(int(value))
        # By its text, which is of its own precision; `float(value)` shows float32's rounding.
        return str(float(str(value)))
    except (ValueError, ArithmeticError):  # no finite number, or one no float holds
        return None


def row_faults(row: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return what is wrong with a row of raw values by role: (role at fault, fault) pairs."""
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


def to_weight(value: object) -> float | None:
    """Return a finite number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _name_fault(value: object) -> str | None:
    name = to_name(value)
    if name is None:
        if is_missing(value):
            return "is empty; every text needs one"
        is_float = isinstance(value, float | np.floating)
        found = shown(value) if is_float else f"a {type(value).__name__}"
        return f"must be text or a finite number. Received: {found}"
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


def _text_fault(text: object) -> str | None:
    if is_missing(text) and not isinstance(text, str):
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
