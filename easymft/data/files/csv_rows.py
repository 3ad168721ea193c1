"""Rows of CSV, of which a malformed one costs its first line only."""

import contextlib
import csv
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from easymft.data.files.columns import MAX_CELL_CHARACTERS
from easymft.data.files.text_files import Lines, LongLine
from easymft.errors import InputError

NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar", " ": "space"}
# A row of a few full cells. Quoted cells may go on from line to line without end.
MAX_ROW_CHARACTERS = 8_000_000
# Lines behind a quote that is never closed are read again, as rows of their own. A file made so
# that every line opens one would be read again from every line. A line costs as much time as some
# characters.
MAX_REREAD_CHARACTERS = 100_000_000
LINE_COST = 50


@dataclass(frozen=True)
class Dialect:
    """Delimiter, and whether `"` quotes a cell or is a character like any other."""

    delimiter: str
    quoting: bool

    def rows(self, lines: Iterator[str]) -> Any:
        """A `csv.reader` over lines."""
        quoting = csv.QUOTE_MINIMAL if self.quoting else csv.QUOTE_NONE
        return csv.reader(lines, delimiter=self.delimiter, quoting=quoting, strict=True)

    def __str__(self) -> str:
        name = NAMES.get(self.delimiter, repr(self.delimiter))
        return f"delimiter {name}" + ("" if self.quoting else ", quotes are plain characters")


def numbered_rows(
    dialect: Dialect, lines: Lines[str], fault: Callable[[str, int], None]
) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with the line each starts on; malformed ones go to `fault`."""
    returnable = _ReturnableLines(lines)
    reader = dialect.rows(returnable)
    with cell_limit():
        while True:
            returnable.begin_row()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                fault(_explain(str(error)), returnable.first)
                returnable.give_back(1)
            except LongLine as error:
                fault(error.message, error.line)
                returnable.give_back(0)
            else:
                if cells:
                    yield returnable.first, cells


class _ReturnableLines:
    """Lines that can be given back: a malformed row is to cost its first line only.

    A quote that is opened and never closed takes in the lines after it, which may be good rows.
    """

    def __init__(self, lines: Lines[str]):
        self._lines = lines
        self._row: list[tuple[int, str]] = []
        self._returned: deque[tuple[int, str]] = deque()
        self._size = self._reread = 0

    @property
    def first(self) -> int:
        """Line on which the row starts."""
        return self._row[0][0]

    def begin_row(self) -> None:
        self._row, self._size = [], 0

    def give_back(self, start: int) -> None:
        """Give back the row's lines from `start` on."""
        lines = self._row[start:]
        self._reread += sum(len(line) + LINE_COST for _, line in lines)
        if self._reread > MAX_REREAD_CHARACTERS:
            raise InputError(
                'quotes (") are opened and never closed in so many rows that this cannot be read;'
                ' write a quote inside a quoted cell twice ("")',
                file=self._lines.path,
                line=self.first,
            )
        self._returned.extendleft(reversed(lines))

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._returned:
            number, line = self._returned.popleft()
        else:
            line = next(self._lines)
            number = self._lines.number
        self._row.append((number, line))
        self._size += len(line)
        if self._size > MAX_ROW_CHARACTERS:
            raise csv.Error("row limit")
        return line


def _explain(error: str) -> str:
    if "end of data" in error:
        return 'a quote (") is opened in this row and never closed'
    if "field limit" in error:
        return (
            f'a cell of more than {MAX_CELL_CHARACTERS:,} characters; is a quote (") opened in'
            " this row and never closed?"
        )
    if error == "row limit":
        return (
            f'a row of more than {MAX_ROW_CHARACTERS:,} characters; is a quote (") opened in it'
            " and never closed?"
        )
    if "expected after" in error:
        return 'text after a closing quote ("); write a quote inside a quoted cell twice ("")'
    return error


@contextlib.contextmanager
def cell_limit() -> Iterator[None]:
    """The csv module has one limit for all readers: set it while ours reads."""
    before = csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)
