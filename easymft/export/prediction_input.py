"""Texts to label: rows of files or of a pipe, or plain lines."""

import contextlib
import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from easymft.data.corpus.rows import row_faults, to_name
from easymft.data.files.file_search import expand
from easymft.data.files.reader import SUFFIXES, column_names, format_of, read_file, suffix_of
from easymft.data.files.row_source import RowSource, Tally
from easymft.errors import InputError, shown
from easymft.export.text_stream import (
    beginning,
    count_lines,
    is_stream,
    line_groups,
    looks_like_table,
    name_of,
    open_stream,
    told_format,
)
from easymft.fetch import remote

logger = logging.getLogger(__name__)

FORMATS = ("auto", "lines", "csv", "tsv", "jsonl", "parquet")
_WINDOW_CHARACTERS = 16_000_000  # a window of long texts has fewer rows

Row = dict[str, str]


@dataclass(frozen=True)
class Wanted:
    """What to read of an input.

    Args:
        columns: Column name by role.
        required: Roles that must be there; the others are read if they are.
        encoding: Encoding of text files, or "auto".
        delimiter: Delimiter of CSV and TSV, or "auto".
    """

    columns: Mapping[str, str]
    required: Sequence[str]
    encoding: str = "auto"
    delimiter: str = "auto"


@dataclass(frozen=True)
class Texts:
    """The rows of an input in its order; an empty text is a text.

    Args:
        windows: Gives the rows in groups of the size asked for at most; of lines that come one by
            one, those that have come.
        total: Number of rows; None where more may come.
        domains: Number of rows by domain, of files.
    """

    windows: Callable[[int], Iterator[list[Row]]]
    total: int | None = None
    domains: Mapping[str, int] = field(default_factory=dict)


@contextlib.contextmanager
def open_texts(source: str, form: str, wanted: Wanted) -> Iterator[Texts]:
    """Open what is to be labelled.

    Args:
        source: A file (CSV, TSV, JSON lines or a JSON array, each maybe with `.gz`, or Parquet), a
            folder of parts, a glob, or a URL of these that fsspec reads; a pipe or device; `"-"`:
            standard input.
        form: One of `FORMATS`. By default the name tells it; of a stream without one its
            beginning does, by the names of the columns; else it is lines, each a text (or two with
            a tab between them).
        wanted: What to read of it.

    Raises:
        InputError: It cannot be read, or a row of a file cannot, which is seen before the first
            one is given; names the line.
    """
    if remote.is_url(source):
        # Not into the cache, which would keep what is labelled once.
        with tempfile.TemporaryDirectory(prefix="easymft-") as folder:
            yield _table(_files(source, form, Path(folder)), wanted)
        return
    path, name = Path(source).expanduser(), name_of(source)
    if form != "lines" and not is_stream(source):
        yield _table(_files(path, form), wanted)
        return
    total = None
    if not is_stream(source):
        with open_stream(source) as stream:
            total = count_lines(stream, name)
    with open_stream(source) as stream:
        if form == "auto":
            form = SUFFIXES.get(suffix_of(path)) or _told_format(beginning(stream), name, wanted)
        if form == "lines":
            yield Texts(lambda size: _line_windows(stream, name, wanted, size), total)
        else:
            with _copied(stream, name) as copy:
                yield _table({copy: form}, wanted, name)


def _files(source: str | Path, form: str, folder: Path | None = None) -> dict[Path, str]:
    """Return the files that a path or URL names, and their formats; copies go to the folder."""
    if isinstance(source, Path) and source.is_file():
        return {source: format_of(source, "--input_format") if form == "auto" else form}
    if remote.is_url(source) and form == "lines":
        raise InputError("lines are read of a file of this machine or a pipe", field="--input")
    files = expand(source, form, "--input", folder)
    if not files:
        raise InputError(f"no file found. Received: {shown(str(source))}", field="--input")
    if "folder" in files.values():
        raise InputError("is a folder of single texts; write them into one file", file=source)
    return files


def _told_format(head: bytes, name: str, wanted: Wanted) -> str:
    form = told_format(head, {wanted.columns[role] for role in wanted.required})
    if form != "lines":
        logger.info("%s: begins as %s does, and is read as such; see --input_format", name, form)
    elif "text_pair" not in wanted.required and looks_like_table(head):
        logger.warning(
            "%s looks like a table, but its first line lacks the column %s: each line is labelled "
            "as a text; see --input_format",
            name,
            shown(wanted.columns["text"]),
        )
    return form


@contextlib.contextmanager
def _copied(stream: BinaryIO, name: str) -> Iterator[Path]:
    """Copy a stream into a file, since readers go through one more than once."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "rows")
        with open(copy, "wb") as file:
            shutil.copyfileobj(stream, file)
        try:
            yield copy
        except InputError as error:
            raise InputError(str(error).replace(str(copy), name)) from None


def _table(files: Mapping[Path, str], wanted: Wanted, name: str | None = None) -> Texts:
    """Return the rows of files; all are read once before, to be checked and counted."""
    sources = [(_source(path, form, wanted), form) for path, form in files.items()]
    roles = dict.fromkeys(role for source, _ in sources for role in source.columns)

    def rows(**changes: Any) -> Iterator[Row]:
        for source, form in sources:
            for row in _rows(replace(source, **changes), form, wanted.required):
                yield {role: row.get(role, "") for role in roles}

    notes, tally = Counter(), Tally()
    checked = rows(note=lambda note: notes.update([note]), tally=tally)
    domains = Counter(row.get("domain", "") for row in checked)
    place = name or (str(next(iter(files))) if len(files) == 1 else f"{len(files)} files")
    for note in (*notes, *tally.notes()):
        logger.info("%s: %s", place, note)
    return Texts(lambda size: _windows(rows(), size), domains.total(), domains)


def _source(path: Path, form: str, wanted: Wanted) -> RowSource:
    def fault(message: str, line: int | None) -> None:
        # Rows come out as they came in, so none can be left out.
        raise InputError(message, file=path, line=line)

    source = RowSource(
        path=path,
        columns=dict(wanted.columns),
        fault=fault,
        encoding=wanted.encoding,
        delimiter=wanted.delimiter,
        as_is=True,
    )
    found = {*column_names(source, form), *(wanted.columns[role] for role in wanted.required)}
    columns = {role: name for role, name in wanted.columns.items() if name in found}
    return replace(source, columns=columns, optional=columns.keys() - set(wanted.required))


def _rows(source: RowSource, form: str, required: Sequence[str]) -> Iterator[Row]:
    for line, row in read_file(source, form):
        source.problems.raise_if_any()
        for role in required:
            if fault := _fault(role, row[role]):
                raise InputError(fault, file=source.path, line=line, field=source.columns[role])
        yield {
            role: value if role in ("text", "text_pair") else to_name(value) or ""
            for role, value in row.items()
        }


def _fault(role: str, value: Any) -> str | None:
    """Return what is wrong with a text, which may be any; or with a label or domain."""
    if role in ("text", "text_pair"):
        return None if isinstance(value, str) else f"must be text. Received: {shown(value)}"
    return next((fault for _, fault in row_faults({role: value})), None)


def _windows(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    window: list[Row] = []
    characters = 0
    for row in rows:
        window.append(row)
        characters += len(row["text"]) + len(row.get("text_pair", ""))
        if len(window) == size or characters > _WINDOW_CHARACTERS:
            yield window
            window, characters = [], 0
    if window:
        yield window


def _line_windows(stream: BinaryIO, name: str, wanted: Wanted, size: int) -> Iterator[list[Row]]:
    is_pair, count = "text_pair" in wanted.required, 0
    for group in line_groups(stream, name):
        numbered = enumerate(group, count + 1)
        rows = [_line_row(line, is_pair, name, number) for number, line in numbered]
        count += len(rows)
        yield from _windows(rows, size)


def _line_row(line: str, is_pair: bool, name: str, number: int) -> Row:
    if not is_pair:
        return {"text": line}
    first, tab, second = line.partition("\t")
    if not tab:
        message = "must hold two texts with a tab between them"
        raise InputError(message, file=name, line=number)
    return {"text": first, "text_pair": second}
