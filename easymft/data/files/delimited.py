"""CSV and TSV, row by row, with the physical line every row starts on."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from easymft.data.files.csv_rows import Dialect, Row, numbered_rows
from easymft.data.files.dialect import DELIMITERS, find_dialect, fitting
from easymft.data.files.encoding import find_encoding
from easymft.data.files.row_source import RowSource
from easymft.data.files.text_files import Lines, open_lines
from easymft.errors import InputError


def read_delimited(
    source: RowSource, usual: Sequence[str] = DELIMITERS
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line (1-based, where the row starts) and the raw cells by role of every row.

    Faults of single rows go to `source.fault`: another number of cells than the header has, a
    quote that is not closed, a cell beyond the limit. Rows of empty cells and repeated headers
    are counted and left out, unless `source.as_is`.

    Args:
        source: The file.
        usual: Delimiters that it may have where none is stated.

    Raises:
        InputError: The file cannot be read or lacks a column.
    """
    with _open_table(source, usual) as table:
        places = source.find_columns(table.header.cells, table.header.line)
        for row in table.rows():
            yield row.line, {role: row.cells[place] for role, place in places.items()}


def delimited_columns(source: RowSource, usual: Sequence[str] = DELIMITERS) -> list[str]:
    """Return the names in the header, without the space around them."""
    with _open_table(source, usual) as table:
        return [name.strip() for name in table.header.cells]


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
    dialect = Dialect("\t", quoting=False)
    with open_lines(source.path, encoding.codec) as lines:
        for row in numbered_rows(dialect, lines, source.fault):
            width = width or len(row.cells)
            if width not in roles_by_width:
                raise InputError(
                    "must have the columns text, domain, label, score (tab-separated; two texts"
                    f" for pairs; no score in dev and test). Received: {width} columns",
                    file=source.path,
                    line=row.line,
                )
            if len(row.cells) != width:
                message = f"{len(row.cells)} columns where the first row has {width}"
                source.fault(message, row.line)
                continue
            yield row.line, dict(zip(roles_by_width[width], row.cells, strict=True))


@dataclass
class _Table:
    """An open file behind its header."""

    source: RowSource
    dialect: Dialect
    lines: Lines[str]
    header: Row

    def rows(self) -> Iterator[Row]:
        """Yield the rows that have a cell for every column of the header."""
        source, fits, width = self.source, fitting(self.header.cells), len(self.header.cells)
        after_malformed = False

        def malformed(message: str, line: int) -> None:
            nonlocal after_malformed
            after_malformed = True
            source.fault(message, line)

        for row in numbered_rows(self.dialect, self.lines, malformed):
            if not source.as_is and (what := self._left_out(row)):
                source.tally.count(what, source.path, row.line)
                continue
            if not fits(row.cells):
                # Behind a malformed row stands the rest of it, which is no fault of its own.
                if not after_malformed:
                    source.fault(
                        f"{len(row.cells)} cells where the header has {width}; is a delimiter or"
                        " a line end inside a text that is not quoted?",
                        row.line,
                    )
                continue
            after_malformed = False
            source.tally.rows += 1
            if len(row.lines) > 1:
                source.tally.count("rows go on over several lines", source.path, row.line)
            if len(row.cells) < width:
                row.cells.extend([""] * (width - len(row.cells)))
            yield row
        source.tally.lines += self.lines.number

    def _left_out(self, row: Row) -> str | None:
        """Return what a row is that says nothing; None where it does."""
        if row.is_empty:
            return "rows of empty cells, left out"
        header = self.header.cells
        if len(row.cells) == len(header) and all(
            cell.strip(" \t\ufeff") == name.strip()
            for cell, name in zip(row.cells, header, strict=True)
        ):
            return "headers between rows, left out"
        return None


@contextlib.contextmanager
def _open_table(source: RowSource, usual: Sequence[str]) -> Iterator[_Table]:
    """Open a file and read its header, the first row that is not blank.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    encoding = source.checked(find_encoding(source.path, source.encoding))
    dialect = find_dialect(source, encoding.codec, usual)
    source.note(f"{encoding.note}, {dialect}")

    def fault(message: str, line: int) -> None:
        raise InputError(f"the header cannot be read: {message}", file=source.path, line=line)

    with open_lines(source.path, encoding.codec) as lines:
        header = next(numbered_rows(dialect, lines, fault), None)
        if header is None:
            raise InputError(
                "is empty; its first line must name the columns",
                file=source.path,
                field="data.files",
            )
        yield _Table(source, dialect, lines, header)
