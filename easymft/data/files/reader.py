"""One door to the rows of a file, whatever its format."""

import functools
import itertools
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from easymft.data.files import delimited, json_rows, parquet_rows, text_folder
from easymft.data.files.row_source import RowSource, Tally
from easymft.errors import InputError, Problems

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""Format by the last part of a file's name, before `.gz` if it has that."""

# What Hive and Spark call a folder of rows that have no value in the column it is named after.
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class _Format:
    rows: Callable[[RowSource], Iterator[tuple[int, dict[str, Any]]]]
    columns: Callable[[RowSource], list[str]] | None = None


_FORMATS = {
    "csv": _Format(delimited.read_delimited, delimited.delimited_columns),
    "tsv": _Format(
        functools.partial(delimited.read_delimited, usual="\t"),
        functools.partial(delimited.delimited_columns, usual="\t"),
    ),
    "jsonl": _Format(json_rows.read_json, json_rows.json_columns),
    "parquet": _Format(parquet_rows.read_parquet, parquet_rows.parquet_columns),
    "easytransfer": _Format(delimited.read_easytransfer),
    "folder": _Format(text_folder.read_text),
}


def suffix_of(path: Path) -> str:
    """Return the last part of a file's name, in small letters and before `.gz`."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def format_of(path: Path, field: str | None = None) -> str:
    """Return the format that a file's name tells: csv, tsv, jsonl or parquet.

    Args:
        path: The file.
        field: Setting by which the user can say it instead, for the message.

    Raises:
        InputError: Its suffix is none of `SUFFIXES`.
    """
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        raise InputError(
            f"cannot tell the format from the file's name (known: {', '.join(SUFFIXES)})",
            file=path,
            field=field,
        )
    return SUFFIXES[suffix]


def read_file(source: RowSource, form: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line (of Parquet and JSON arrays the row, from 1) and the raw values by role.

    Args:
        source: The file and what is wanted of it.
        form: Its format: csv, tsv, jsonl (or a JSON array), parquet, easytransfer or folder.

    Raises:
        InputError: The file cannot be read, or lacks a column that is not optional.
    """
    told = _told(source.path)
    if told.keys() & source.columns.values():
        told = {name: told[name] for name in told.keys() - _inside(source, form)}
    same = {role: told[name] for role, name in source.columns.items() if name in told}
    columns = {role: name for role, name in source.columns.items() if role not in same}
    same |= dict.fromkeys(role for role in columns if role in source.optional)
    for line, row in _FORMATS[form].rows(replace(source, columns=columns)):
        if same:
            row = {role: row.get(role, same.get(role)) for role in source.columns}
        yield line, row


def column_names(source: RowSource, form: str) -> list[str]:
    """Return the names of the columns that a file has; keys, of which an object may lack some.

    Raises:
        InputError: The file cannot be read, or its format names no columns.
    """
    names = _inside(source, form)
    return [*names, *(name for name in _told(source.path) if name not in names)]


def _inside(source: RowSource, form: str) -> list[str]:
    """Return the names of the columns that stand in the file itself."""
    columns = _FORMATS[form].columns
    if columns is None:
        known = ", ".join(name for name, kind in _FORMATS.items() if kind.columns)
        message = f"must be {known} or a folder of texts. Received: {form}"
        raise InputError(message, file=source.path)
    return columns(replace(source, problems=Problems(), note=lambda note: None, tally=Tally()))


def _told(path: Path) -> dict[str, str | None]:
    """Return what the folders `column=value` that a file stands in say of all its rows."""
    names = itertools.takewhile(lambda name: "=" in name, (folder.name for folder in path.parents))
    told = (map(urllib.parse.unquote, name.split("=", 1)) for name in names)
    return {name: None if value == _NO_VALUE else value for name, value in told}
