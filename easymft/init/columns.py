"""What a file of the user's holds: its columns, and what is in them."""

import collections
import csv
import functools
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from easymft.config import DataConfig
from easymft.data.files.columns import to_name
from easymft.data.files.delimited import find_dialect, read_delimited
from easymft.data.files.records import read_jsonl, read_parquet
from easymft.data.files.row_source import RowSource
from easymft.data.files.text_files import find_encoding, open_lines
from easymft.errors import InputError, Problems

# Enough to tell classes from texts; the whole file is read when it is validated.
MAX_ROWS = 100_000
MAX_KEY_LINES = 200

_READERS: dict[str, Callable[[RowSource], Iterator[tuple[int, dict[str, Any]]]]] = {
    "csv": read_delimited,
    "tsv": read_delimited,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}


@dataclass(frozen=True)
class Column:
    """A column and its values, as they were read.

    Args:
        name: Its name in the file.
        values: One a row.
    """

    name: str
    values: list[Any]

    @functools.cached_property
    def counts(self) -> collections.Counter[str]:
        """How often every value stands in the column; what is empty is left out."""
        names = map(to_name, self.values)
        return collections.Counter(name for name in names if name and not name.isspace())

    @property
    def filled(self) -> int:
        """Rows that hold something."""
        return self.counts.total()

    @property
    def is_unique(self) -> bool:
        """Whether every row holds a value of its own."""
        return len(self.counts) == len(self.values)

    @functools.cached_property
    def mean_words(self) -> float:
        """Words of a usual value; 0 where not all values are text."""
        if not all(isinstance(value, str) for value in self.values if value is not None):
            return 0.0
        words = sum(len(name.split()) * count for name, count in self.counts.items())
        return words / max(self.filled, 1)

    @functools.cached_property
    def mean_characters(self) -> float:
        """Characters of a usual value."""
        length = sum(len(name) * count for name, count in self.counts.items())
        return length / max(self.filled, 1)


def read_columns(files: list[tuple[Path, str | None, str]], data: DataConfig) -> list[Column]:
    """The columns of the first file, with the first `MAX_ROWS` rows of all files.

    Args:
        files: Path, split and format of each; see `easymft.data.files.file_search.find_files`.
        data: Says encoding and delimiter.

    Raises:
        InputError: A file cannot be read, has no header, or no row of it can be used.
    """
    problems, faults = Problems(), Problems()
    names: list[str] = []
    rows: list[dict[str, Any]] = []
    for path, _, form in files:
        if form not in _READERS:
            known = ", ".join(_READERS)
            raise InputError(f"must be {known} or a folder of texts. Received: {form}", file=path)
        source = RowSource(
            path=path,
            columns={},
            encoding=data.encoding,
            delimiter="tab" if form == "tsv" and data.delimiter == "auto" else data.delimiter,
            problems=problems,
            fault=lambda message, line, path=path: faults.add(message, file=path, line=line),
            note=lambda note: None,
        )
        names = names or _header(source, form)
        if not names:
            raise InputError("holds no named column; is the first line a header?", file=path)
        source.columns.update(zip(names, names, strict=True))
        found = (row for _, row in _READERS[form](source))
        rows += itertools.islice(found, MAX_ROWS - len(rows))
    problems.raise_if_any()
    if not rows:
        faults.raise_if_any()
        raise InputError("holds no row below its header", file=files[0][0])
    return [Column(name, [row[name] for row in rows]) for name in names]


def _header(source: RowSource, form: str) -> list[str]:
    """Names of columns that a recipe can name: not empty, and not twice in the header."""
    if form == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            header = pq.read_schema(source.path).names
        except (pa.ArrowException, OSError) as error:
            reason = str(error).split("\n")[0]
            raise InputError(f"cannot be read as Parquet ({reason})", file=source.path) from None
    else:
        encoding = find_encoding(source.path, source.encoding)
        with open_lines(source.path, encoding) as lines:
            if form == "jsonl":
                header = _common_keys(itertools.islice(lines, MAX_KEY_LINES))
            else:
                try:
                    header = next(find_dialect(source, encoding).rows(lines), [])
                except csv.Error as error:
                    message = f"the header cannot be read ({error})"
                    raise InputError(message, file=source.path, line=1) from None
    trimmed = [name.strip() for name in header]
    return [name for name in trimmed if name and trimmed.count(name) == 1]


def _common_keys(lines: Iterator[str]) -> list[str]:
    """Keys that all objects have, in the order of the first; lines that hold none are passed."""
    common: list[str] | None = None
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            common = [key for key in (record if common is None else common) if key in record]
    return common or []
