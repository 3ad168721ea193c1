"""CSV and TSV, row by row, with the physical line every row starts on."""

import csv
from collections.abc import Iterator
from typing import Any

from easymft.data.files.csv_rows import NAMES, Dialect, cell_limit, numbered_rows
from easymft.data.files.row_source import RowSource
from easymft.data.files.text_files import Encoding, Lines, find_encoding, open_lines
from easymft.errors import InputError

DELIMITERS = (",", "\t", ";", "|")
# What the delimiter is told from; lines may be long.
SAMPLE_LINES = 200
SAMPLE_CHARACTERS = 1_000_000


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
    with open_lines(source.path, encoding) as lines:
        line, header = read_header(source, dialect, lines)
        places = source.find_columns(header, line)
        after_malformed = False

        def malformed(message: str, line: int) -> None:
            nonlocal after_malformed
            after_malformed = True
            source.fault(message, line)

        for line, cells in numbered_rows(dialect, lines, malformed):
            if len(cells) != len(header):
                # Behind a malformed row stands the rest of it, which is no fault of its own.
                if not after_malformed:
                    source.fault(
                        f"{len(cells)} cells where the header has {len(header)}; is a delimiter or"
                        " a line end inside a text that is not quoted?",
                        line,
                    )
                continue
            after_malformed = False
            yield line, {role: cells[place] for role, place in places.items()}


def read_header(source: RowSource, dialect: Dialect, lines: Lines[str]) -> tuple[int, list[str]]:
    """The first row that is not blank, and its line.

    Raises:
        InputError: There is none, or it cannot be read.
    """

    def fault(message: str, line: int) -> None:
        raise InputError(f"the header cannot be read: {message}", file=source.path, line=line)

    for line, cells in numbered_rows(dialect, lines, fault):
        return line, cells
    raise InputError(
        "is empty; its first line must name the columns", file=source.path, field="data.files"
    )


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
    with open_lines(source.path, encoding) as lines:
        for line, cells in numbered_rows(dialect, lines, source.fault):
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
    stated = {name: sign for sign, name in NAMES.items()}.get(stated, stated)
    if stated != "auto" and (len(stated) != 1 or stated in '"\r\n'):
        message = f"must be one character, or auto. Received: {source.delimiter!r}"
        raise InputError(message, field="data.delimiter")
    with open_lines(source.path, encoding) as lines:
        sample, is_whole = _sample(lines)
    candidates = DELIMITERS if stated == "auto" else (stated,)
    if stated == "auto" and source.path.name.removesuffix(".gz").endswith(".tsv"):
        candidates = ("\t",)

    def fitness(delimiter: str) -> tuple[int, float, int]:
        rows, _ = _parse(sample, is_whole, Dialect(delimiter, quoting=True))
        header = rows[0] if rows else "".join(sample[:1]).split(delimiter)
        wanted = len({name.strip() for name in header} & set(source.columns.values()))
        agreeing = sum(len(row) == len(header) for row in rows)
        return wanted, agreeing / max(len(rows), 1), len(header)

    delimiter = max(candidates, key=fitness)
    quoting = True
    if delimiter == "\t":
        # TSV comes in both kinds: quoted as CSV is, or with `"` as a plain character.
        rows, clean = _parse(sample, is_whole, Dialect(delimiter, quoting=True))
        quoting = clean and len({len(row) for row in rows}) <= 1
    return Dialect(delimiter, quoting)


def _sample(lines: Lines[str]) -> tuple[list[str], bool]:
    """The first lines of a file, and whether they are all it has."""
    sample: list[str] = []
    size = 0
    for _, line in lines.numbered(lambda message, line: None):
        if len(sample) == SAMPLE_LINES or size > SAMPLE_CHARACTERS:
            return sample, False
        sample.append(line)
        size += len(line)
    return sample, True


def _parse(sample: list[str], is_whole: bool, dialect: Dialect) -> tuple[list[list[str]], bool]:
    """Rows of a sample, and whether its quotes are well-formed."""
    rows, clean = [], True
    reader = dialect.rows(iter(sample))
    with cell_limit():
        while True:
            try:
                rows.append(next(reader))
            except StopIteration:
                return [row for row in rows if row], clean
            except csv.Error:
                # A quoted cell may reach beyond the sample; that alone is no fault.
                clean &= not is_whole and reader.line_num >= len(sample)
