"""Which delimiter a file of rows has, and whether `"` quotes in it: told from the whole file."""

import csv
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from easymft.data.corpus.rows import MAX_NAME_CHARACTERS
from easymft.data.files.csv_rows import NAMES, Dialect, Row, cell_limit, numbered_rows
from easymft.data.files.row_source import RowSource
from easymft.data.files.text_files import LongLine, open_lines
from easymft.errors import InputError

DELIMITERS = (",", "\t", ";", "|")
# What the delimiter is told from; lines may be long.
SAMPLE_LINES = 200
SAMPLE_CHARACTERS = 1_000_000
# A column with more different cells holds no names; nor is one of so many others looked at.
MAX_NAMES = 1_000
MAX_COLUMNS = 100

# The first line by which Excel is told a delimiter, such as `sep=;`.
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)


def find_dialect(source: RowSource, codec: str, usual: Sequence[str]) -> Dialect:
    """Find out how the lines of a file become rows.

    The delimiter is the stated one, the one that a first line `sep=;` names, or of the usual ones
    the one under which the header holds most of the columns asked for (then: most rows agree in
    their number of cells, then: most cells). Whether `"` quotes is judged by all rows.

    Raises:
        InputError: The stated delimiter is none, or the file cannot be read.
    """
    stated = source.delimiter.replace("\\t", "\t")
    stated = {name: sign for sign, name in NAMES.items()}.get(stated, stated)
    if stated != "auto" and (len(stated) != 1 or stated in '"\r\n'):
        message = f"must be one character, or auto. Received: {source.delimiter!r}"
        raise InputError(message, field="data.delimiter")
    sample = _sample(source, codec)
    told = _SEPARATOR_LINE.fullmatch(sample[0]) if sample else None
    if stated != "auto":
        delimiter = stated
    elif told:
        delimiter = told[1]
    else:
        wanted = set(source.columns.values())
        delimiter = max(usual, key=lambda sign: _fitness(sample, sign, wanted))
    return _judge_quotes(source, codec, Dialect(delimiter, skip=1 if told else 0))


def fitting(header: Sequence[str]) -> Callable[[Sequence[str]], bool]:
    """Return a test whether a row has a cell for every column.

    Empty cells behind the last named column may be left out, or be too many.
    """
    width = named = len(header)
    while named and not header[named - 1].strip():
        named -= 1

    def fits(cells: Sequence[str]) -> bool:
        return named <= len(cells) and not any(map(str.strip, cells[width:]))

    return fits


def _sample(source: RowSource, codec: str) -> list[str]:
    """Return the first lines of a file."""
    sample: list[str] = []
    size = 0
    with open_lines(source.path, codec) as lines:
        for _, line in lines.numbered(lambda message, line: None):
            if len(sample) == SAMPLE_LINES or size > SAMPLE_CHARACTERS:
                break
            sample.append(line)
            size += len(line)
    return sample


def _fitness(sample: list[str], delimiter: str, wanted: set[str]) -> tuple[int, float, int]:
    """Return how well a delimiter fits: the larger, the better."""
    rows = []
    reader = Dialect(delimiter).rows(iter(sample))
    with cell_limit():
        while True:
            try:
                rows.append(next(reader))
            except StopIteration:
                break
            except csv.Error:
                continue
    rows = [row for row in rows if row]
    header = rows[0] if rows else "".join(sample[:1]).split(delimiter)
    agreeing = sum(len(row) == len(header) for row in rows)
    found = wanted & {name.strip() for name in header}
    return len(found), agreeing / max(len(rows), 1), len(header)


def _judge_quotes(source: RowSource, codec: str, dialect: Dialect) -> Dialect:
    """Return the dialect with all that tells rows from texts over several lines.

    CSV quotes with `"`. TSV comes in both kinds, quoted as CSV is or with `"` as a plain
    character: it is the plain kind where that leaves fewer rows in doubt, or none.
    """
    is_tsv = dialect.delimiter == "\t"
    if not (_any_quote if is_tsv else _any_row_over_lines)(source, codec, dialect):
        return dialect
    quoted = _survey(source, codec, dialect)
    if not is_tsv:
        names = quoted.names()
        return replace(dialect, width=len(quoted.header), names=names) if names else dialect
    if len(quoted.header) > 1:
        # No text has tabs in it as a row has, so a line that has them is one.
        dialect = replace(dialect, width=len(quoted.header))
        quoted = _survey(source, codec, dialect)
    plain = _survey(source, codec, replace(dialect, quoting=False))
    swallowed = quoted.over_lines and quoted.loose_quotes and not plain.faults
    is_plain = swallowed or (quoted.faults and plain.faults <= quoted.faults)
    return replace(dialect, quoting=not is_plain)


def _any_quote(source: RowSource, codec: str, dialect: Dialect) -> bool:
    with open_lines(source.path, codec) as lines:
        return any('"' in line for _, line in lines.numbered(lambda message, line: None))


def _any_row_over_lines(source: RowSource, codec: str, dialect: Dialect) -> bool:
    """Return whether a row has more lines than one, or cannot be read."""
    with open_lines(source.path, codec) as lines, cell_limit():
        reader = dialect.rows(lines)
        try:
            return any(reader.line_num > number for number, _ in enumerate(reader, 1))
        except (csv.Error, LongLine):
            return True


def _survey(source: RowSource, codec: str, dialect: Dialect) -> "_Survey":
    """Return what stands in the whole file."""
    survey = _Survey()

    def fault(message: str, line: int) -> None:
        survey.faults += 1

    with open_lines(source.path, codec) as lines:
        try:
            for row in numbered_rows(dialect, lines, fault):
                survey.add(row, dialect)
        except InputError:  # given up: too much of it would be read again
            survey.faults = math.inf
    return survey


class _Survey:
    """What stands in a file under a dialect.

    Attributes:
        header: Cells of the first row.
        faults: Rows that are malformed or have another number of cells.
        over_lines: Rows over several lines.
        loose_quotes: Rows of one line in which a cell holds a quote and is not quoted, as nobody
            writes who quotes cells.
    """

    def __init__(self):
        self.header: list[str] = []
        self._fits = fitting([])
        self.faults = 0.0
        self.over_lines = self.loose_quotes = self._rows = 0
        self._columns: dict[int, set[str]] = {}

    def add(self, row: Row, dialect: Dialect) -> None:
        """Take note of a row; the first is the header."""
        if not self.header:
            self.header, self._fits = row.cells, fitting(row.cells)
            self._columns = {place: set() for place in range(min(len(row.cells), MAX_COLUMNS))}
            return
        self.over_lines += len(row.lines) > 1
        if not self._fits(row.cells):
            self.faults += not row.is_empty
            return
        if len(row.lines) > 1:
            return
        self._rows += 1
        line = row.lines[0][1]
        if '"' in line:
            cells = dialect.split(line)
            self.loose_quotes += any('"' in cell and cell[0] != '"' for cell in cells)
        for place in tuple(self._columns):
            if place < len(row.cells):
                names, cell = self._columns[place], row.cells[place]
                names.add(cell)
                if len(names) > MAX_NAMES or len(cell) > MAX_NAME_CHARACTERS:
                    del self._columns[place]

    def names(self) -> dict[int, frozenset[str]]:
        """Return all that stands in the columns in which the same comes again and again."""
        return {
            place: frozenset(names)
            for place, names in self._columns.items()
            if 0 < 2 * len(names) <= self._rows
        }
