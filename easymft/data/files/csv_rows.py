"""Rows of CSV, of which a malformed one costs its first line only."""

import contextlib
import csv
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from easymft.data.corpus.rows import MAX_CELL_CHARACTERS
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
    """How the lines of a file become rows of cells.

    Args:
        delimiter: What stands between cells.
        quoting: Whether `"` quotes a cell or is a character like any other.
        skip: Lines above the header.
        width: Cells of a row, where a line that has as many is a row by itself; 0: none is.
        names: By place, all that stands in a column of few names; a line is a row by itself if it
            has one of them there.
    """

    delimiter: str
    quoting: bool = True
    skip: int = 0
    width: int = 0
    names: Mapping[int, Set[str]] = field(default_factory=dict)

    def rows(self, lines: Iterator[str]) -> Any:
        """Return a `csv.reader` over lines."""
        quoting = csv.QUOTE_MINIMAL if self.quoting else csv.QUOTE_NONE
        return csv.reader(lines, delimiter=self.delimiter, quoting=quoting, strict=True)

    def split(self, line: str) -> list[str]:
        """Return the cells of a line in which quotes are characters like any other."""
        return line.rstrip("\r\n").split(self.delimiter)

    def is_row(self, line: str) -> bool:
        """Return whether a line inside a row over several lines looks like a row by itself."""
        cells = self.split(line)
        if not self.width or len(cells) != self.width:
            return False
        # What stands in quotes is what the line is asked about.
        known = [cells[place] in of for place, of in self.names.items() if '"' not in cells[place]]
        return all(known) and (bool(known) or not self.names)

    def __str__(self) -> str:
        name = NAMES.get(self.delimiter, repr(self.delimiter))
        return f"delimiter {name}" + ("" if self.quoting else ", quotes are plain characters")


class Row(NamedTuple):
    """Cells, and the lines they stand on.

    Args:
        lines: Number (from 1) and text of every line of the row.
        cells: Its cells.
    """

    lines: list[tuple[int, str]]
    cells: list[str]

    @property
    def line(self) -> int:
        """Number of the line the row starts on."""
        return self.lines[0][0]

    @property
    def is_empty(self) -> bool:
        """True where all cells are empty, as in the rows spreadsheets write below a table."""
        return not any(map(str.strip, self.cells))


def numbered_rows(
    dialect: Dialect, lines: Lines[str], fault: Callable[[str, int], None]
) -> Iterator[Row]:
    """Yield rows that are not blank; malformed ones go to `fault`, with their line.

    Malformed is also a row over several lines of which the first and the last are rows by
    themselves: a quote that is a character swallowed them.
    """
    while lines.number < dialect.skip:
        next(lines)
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
                row = returnable.row
                if len(row) > 1 and dialect.is_row(row[0][1]) and dialect.is_row(row[-1][1]):
                    fault(_SWALLOWED.format(last=row[-1][0]), returnable.first)
                    returnable.give_back(1)
                elif cells:
                    yield Row(row, cells)


_SWALLOWED = (
    'a quote (") is opened in this row and closed in line {last}, yet the lines are rows by'
    ' themselves; write a cell that holds a quote in quotes, and the quote twice ("a ""b""")'
)


class _ReturnableLines:
    """Lines that can be given back: a malformed row is to cost its first line only.

    A quote that is opened and never closed takes in the lines after it, which may be good rows.
    """

    def __init__(self, lines: Lines[str]):
        self._lines = lines
        self.row: list[tuple[int, str]] = []
        self._returned: deque[tuple[int, str]] = deque()
        self._size = self._reread = 0

    @property
    def first(self) -> int:
        """Line on which the row starts."""
        return self.row[0][0]

    def begin_row(self) -> None:
        """Forget the lines of the row before."""
        self.row, self._size = [], 0

    def give_back(self, start: int) -> None:
        """Give back the row's lines from `start` on.

        Raises:
            InputError: So much has been given back that the file is made to be read for ever.
        """
        lines = self.row[start:]
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
        self.row.append((number, line))
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
    """Set the limit of the csv module, which is one for all readers, while ours reads."""
    before = csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)
