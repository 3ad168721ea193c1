"""CSV that people open in a spreadsheet and give back."""

import csv
import io
from collections.abc import Iterable, Mapping

# A cell that begins so would be run as a formula, by some programs behind white space too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
MOST_CHARACTERS = 32_000  # a spreadsheet's cell has room for 32,767


def spreadsheet(columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return rows as CSV that a spreadsheet opens as it is meant.

    It begins with the mark by which spreadsheets know UTF-8; no cell runs as a formula, and none
    is longer than a cell may be.

    Args:
        columns: Names, in order.
        rows: Values by name; None is an empty cell.

    Reference: OWASP, CSV Injection.
    """
    names, file = list(columns), io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
    return "\N{ZERO WIDTH NO-BREAK SPACE}" + file.getvalue()


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: an apostrophe stands before it."""
    # What looks guarded already is guarded once more, so that `unguarded` gives it back.
    return f"'{text}" if text.lstrip(" '").startswith(_FORMULA) else text


def unguarded(cell: str) -> str:
    """Return the text that `guarded` was given, also where a spreadsheet hid the apostrophe."""
    return cell[1:] if cell.startswith("'") and guarded(cell[1:]) == cell else cell


def _cell(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    text = value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    text = text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
    return guarded(text)
