"""What a file of the user's holds: its columns, and what is in them."""

import collections
import functools
import itertools
import re
from dataclasses import dataclass, replace
from typing import Any

from easymft.config import DataConfig
from easymft.data.corpus.rows import to_name
from easymft.data.files.file_search import DataFile
from easymft.data.files.parquet_rows import holds
from easymft.data.files.reader import column_names, read_file
from easymft.data.files.row_source import RowSource
from easymft.data.sources.hugging_face import open_splits, rows
from easymft.errors import InputError, Problems

# Enough to tell classes from texts; the whole file is read when it is validated.
MAX_ROWS = 100_000
# Columns times rows, of a file that has very many columns.
MAX_CELLS = 20_000_000

_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")  # Thai, Japanese, Chinese


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
        """Count how often every value stands in the column; what is empty is left out."""
        names = map(to_name, self.values)
        return collections.Counter(name for name in names if name and not name.isspace())

    @property
    def filled(self) -> int:
        """Number of rows that hold something."""
        return self.counts.total()

    @property
    def is_unique(self) -> bool:
        """True where every row holds a value of its own."""
        return len(self.counts) == len(self.values)

    @functools.cached_property
    def mean_words(self) -> float:
        """Mean number of words of a value; 0 where not all values are text."""
        if not all(isinstance(value, str) for value in self.values if value is not None):
            return 0.0
        words = sum(_words(name) * count for name, count in self.counts.items())
        return words / max(self.filled, 1)

    @functools.cached_property
    def mean_characters(self) -> float:
        """Mean number of characters of a value."""
        length = sum(len(name) * count for name, count in self.counts.items())
        return length / max(self.filled, 1)


def _words(text: str) -> float:
    """Return the number of words, of about two letters where no space stands between them."""
    return len(text.split()) + len(_UNSPACED.findall(text)) / 2


def read_columns(files: list[DataFile], data: DataConfig) -> list[Column]:
    """Return the columns of the first file, with the first `MAX_ROWS` rows of all files.

    Args:
        files: The files; see `easymft.data.files.file_search.find_files`.
        data: Says encoding and delimiter.

    Raises:
        InputError: A file cannot be read, has no header, or no row of it can be used.
    """
    problems, faults = Problems(), Problems()
    names: list[str] = []
    read: list[dict[str, Any]] = []
    for file in files:
        source = RowSource(
            path=file.path,
            columns={},
            encoding=data.encoding,
            delimiter=data.delimiter,
            problems=problems,
            fault=lambda message, line, path=file.path: faults.add(message, file=path, line=line),
        )
        names = names or _names(column_names(source, file.form))
        if not names:
            raise InputError("holds no named column; is the first line a header?", file=file.path)
        columns = dict(zip(names, names, strict=True))
        source = replace(source, columns=columns, optional=columns.keys())
        found = (row for _, row in read_file(source, file.form))
        most = min(MAX_ROWS, MAX_CELLS // len(names))
        read += itertools.islice(found, most - len(read))
    problems.raise_if_any()
    if not read:
        faults.raise_if_any()
        raise InputError("holds no row below its header", file=files[0].path)
    return [Column(name, [row[name] for row in read]) for name in names]


def read_hugging_face_columns(name: str) -> list[Column]:
    """Return the columns of a data set's first split, with the first `MAX_ROWS` rows of all splits.

    Args:
        name: See `easymft.data.sources.hugging_face.read_hugging_face`.

    Raises:
        InputError: There is no such data set, or nothing in it holds texts or numbers.
    """
    splits = list(open_splits(name).values())
    schema = splits[0].features.arrow_schema
    names = [field.name for field in schema if holds("text or numbers", field.type)]
    if not names:
        raise InputError(f"{name} has no feature of texts or numbers", field="--input")
    most = min(MAX_ROWS, MAX_CELLS // len(names))
    wanted = dict(zip(names, names, strict=True))
    every = itertools.chain.from_iterable(rows(split, wanted, name) for split in splits)
    found = list(itertools.islice(every, most))
    return [Column(column, [row[column] for row in found]) for column in names]


def _names(found: list[str]) -> list[str]:
    """Return the columns that a recipe can name: not empty, and not twice in the header."""
    return [name for name in found if name and found.count(name) == 1]
