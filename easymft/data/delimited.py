"""CSV and TSV, row by row, with the physical line every row starts on."""

import contextlib
import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from easymft.data.columns import MAX_CELL_CHARACTERS
from easymft.data.row_source import RowSource
from easymft.data.text_files import Encoding, find_encoding, open_lines
from easymft.errors import InputError

DELIMITERS = (",", "\t", ";", "|")
SAMPLE_LINES = 200

_NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar", " ": "space"}


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
        name = _NAMES.get(self.delimiter, repr(self.delimiter))
        return f"delimiter {name}" + ("" if self.quoting else ", quotes are plain characters")


def read_delimited(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line (1-based, where the row starts) and the raw cells by role of every row.

    Faults of single rows go to `source.fault`: another number of cells than the header has, a
    quote that is not closed, a cell beyond the limit.

    Raises:
        InputError: The file cannot be read or lacks a column.
    """
    encoding = source.checked(find_encoding(source.path, source.encoding))
    dialect = find_dialect(source, encoding)
    source.note(f"{encoding.note}, {dialect}")
    with open_lines(source.path, encoding) as lines, _cell_limit():
        rows = _numbered_rows(dialect.rows(lines), source)
        _, header = next(rows, (1, []))
        places = source.find_columns(header)
        for line, cells in rows:
            if len(cells) != len(header):
                source.fault(
                    f"{len(cells)} cells where the header has {len(header)}; is a delimiter or a"
                    " line end inside a text that is not quoted?",
                    line,
                )
                continue
            yield line, {role: cells[place] for role, place in places.items()}


def read_easytransfer(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of the TSV that EasyTransfer's meta fine-tuning scripts write.

    No header, no quotes; text, domain, label and score, with a second text after the first for
    pairs. Without scores (three columns) it is a development or test file.
    """
    encoding = source.checked(find_encoding(source.path, source.encoding))
    roles_by_width = {
        3: ("text", "domain", "label"),
        4: ("text", "domain", "label", "weight"),
        5: ("text", "text_pair", "domain", "label", "weight"),
    }
    source.note(f"{encoding.note}, EasyTransfer columns")
    width = None
    with open_lines(source.path, encoding) as lines, _cell_limit():
        for line, cells in _numbered_rows(Dialect("\t", quoting=False).rows(lines), source):
            width = width or len(cells)
            if width not in roles_by_width:
                raise InputError(
                    "must have the columns text, domain, label, score (tab-separated; two texts"
                    f" for pairs; no score in dev and test). Received: {width} columns",
                    file=source.path,
                    line=line,
                )
            if len(cells) != width:
                source.fault(f"{len(cells)} columns where the first row has {width}", line)
                continue
            yield line, dict(zip(roles_by_width[width], cells, strict=True))


def find_dialect(source: RowSource, encoding: Encoding) -> Dialect:
    """The stated delimiter, or the one under which the header holds most of the columns asked
    for (then: most rows agree in their number of cells, then: most cells)."""
    stated = source.delimiter.replace("\\t", "\t")
    stated = {name: sign for sign, name in _NAMES.items()}.get(stated, stated)
    if stated != "auto" and (len(stated) != 1 or stated in '"\r\n'):
        message = f"must be one character, or auto. Received: {source.delimiter!r}"
        raise InputError(message, field="data.delimiter")
    with open_lines(source.path, encoding) as lines:
        sample = list(itertools.islice(lines, SAMPLE_LINES))
    candidates = DELIMITERS if stated == "auto" else (stated,)
    if stated == "auto" and source.path.name.removesuffix(".gz").endswith(".tsv"):
        candidates = ("\t",)

    def fitness(delimiter: str) -> tuple[int, float, int]:
        rows, _ = _parse(sample, Dialect(delimiter, quoting=True))
        header = rows[0] if rows else []
        wanted = len({name.strip() for name in header} & set(source.columns.values()))
        agreeing = sum(len(row) == len(header) for row in rows)
        return wanted, agreeing / max(len(rows), 1), len(header)

    delimiter = max(candidates, key=fitness)
    quoting = True
    if delimiter == "\t":
        # TSV comes in both kinds: quoted as CSV is, or with `"` as a plain character.
        rows, clean = _parse(sample, Dialect(delimiter, quoting=True))
        quoting = clean and len({len(row) for row in rows}) <= 1
    return Dialect(delimiter, quoting)


def _parse(sample: list[str], dialect: Dialect) -> tuple[list[list[str]], bool]:
    """Rows of a sample, and whether its quotes are well-formed."""
    rows, clean = [], True
    reader = dialect.rows(iter(sample))
    with _cell_limit():
        while True:
            try:
                rows.append(next(reader))
            except StopIteration:
                return [row for row in rows if row], clean
            except csv.Error:
                # A quoted cell may reach beyond the sample; that alone is no fault.
                clean &= reader.line_num >= len(sample) == SAMPLE_LINES


def _numbered_rows(reader: Any, source: RowSource) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with the line each starts on; malformed ones go to the source."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            source.fault(_explain(str(error)), line)
            continue
        if cells:
            yield line, cells


def _explain(error: str) -> str:
    if "end of data" in error:
        return 'a quote (") is opened in this row and never closed'
    if "field limit" in error:
        return (
            f'a cell of more than {MAX_CELL_CHARACTERS:,} characters; is a quote (") opened in'
            " this row and never closed?"
        )
    if "expected after" in error:
        return 'text after a closing quote ("); write a quote inside a quoted cell twice ("")'
    return error


@contextlib.contextmanager
def _cell_limit() -> Iterator[None]:
    """The csv module has one limit for all readers: set it while ours reads."""
    before = csv.field_size_limit(MAX_CELL_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)
