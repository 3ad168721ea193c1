"""Texts from a user's file or a stream, and predictions into a file or a stream."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from easymft.data.corpus.rows import to_name
from easymft.data.files.reader import column_names, format_of, read_file
from easymft.data.files.row_source import RowSource
from easymft.errors import InputError
from easymft.files import staged

_OUTPUTS = (".csv", ".tsv", ".jsonl", ".parquet")
Write = Callable[[dict[str, list[Any]]], None]


def read_rows(
    path: Path, columns: Mapping[str, str], required: Sequence[str]
) -> Iterator[dict[str, str]]:
    """Yield the values by role of every row; an empty text is a text.

    Args:
        path: CSV, TSV, JSON lines or array (each maybe with `.gz`), or Parquet.
        columns: Column name by role.
        required: Roles that must be there; the others are read if they are.

    Raises:
        InputError: The file or a row cannot be read; names the line.
    """
    form = format_of(path)

    def fault(message: str, line: int | None) -> None:
        # Rows come out as they came in, so none can be left out.
        raise InputError(message, file=path, line=line)

    source = RowSource(path=path, columns=dict(columns), fault=fault, as_is=True)
    found = column_names(source, form)
    wanted = {role: name for role, name in columns.items() if role in required or name in found}
    source = replace(source, columns=wanted, optional=wanted.keys() - set(required))
    for line, row in read_file(source, form):
        source.problems.raise_if_any()
        for role in required:
            if not isinstance(row[role], str):
                message = f"must be text. Received: {row[role]!r}"
                raise InputError(message, file=path, line=line, field=wanted[role])
        yield {
            role: value if role in ("text", "text_pair") else to_name(value) or ""
            for role, value in row.items()
        }


def read_lines(stream: BinaryIO, pair: bool) -> Iterator[dict[str, str]]:
    """Yield the text, or the two texts with a tab between them, of every line.

    Raises:
        InputError: A line without the tab; names the line.
    """
    for number, line in enumerate(stream, 1):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not pair:
            yield {"text": text}
            continue
        first, tab, second = text.partition("\t")
        if not tab:
            message = "must hold two texts with a tab between them"
            raise InputError(message, file="standard input", line=number)
        yield {"text": first, "text_pair": second}


@contextlib.contextmanager
def open_output(output: str | Path) -> Iterator[Write]:
    """Yield a function that appends columns of equal length, as the name's suffix says.

    A file appears when the block has succeeded. `"-"` is JSONL on standard output, line by line.

    Raises:
        InputError: Another suffix than .parquet, .csv, .tsv or .jsonl.
    """
    if str(output) == "-":
        yield lambda columns: _write_jsonl(sys.stdout, columns)
        return
    output = Path(output)
    if output.suffix not in _OUTPUTS:
        raise InputError(
            f"must end in one of {', '.join(_OUTPUTS)}. Received: {output.name}", file=output
        )
    with staged(output) as temporary:
        if output.suffix == ".jsonl":
            with open(temporary, "w", encoding="utf-8", newline="\n") as file:
                yield lambda columns: _write_jsonl(file, columns)
        else:
            with _Tables(temporary) as tables:
                yield tables.write


class _Tables:
    """Appends to a Parquet, CSV or TSV file; the first columns say what the file holds."""

    def __init__(self, path: Path):
        self._path = path
        self._writer: Any = None

    def write(self, columns: dict[str, list[Any]]) -> None:
        import pyarrow as pa

        kinds = {str: pa.string(), float: pa.float32()}
        table = pa.table(
            {
                name: pa.array(map(_no_half_surrogate, values), kinds[type(values[0])])
                for name, values in columns.items()
            }
        )
        self._writer = self._writer or self._open(table.schema)
        self._writer.write_table(table)

    def _open(self, schema: Any) -> Any:
        import pyarrow.csv
        import pyarrow.parquet

        if self._path.suffix == ".parquet":
            return pyarrow.parquet.ParquetWriter(self._path, schema)
        delimiter = "\t" if self._path.suffix == ".tsv" else ","
        options = pyarrow.csv.WriteOptions(delimiter=delimiter)
        return pyarrow.csv.CSVWriter(self._path, schema, write_options=options)

    def __enter__(self) -> "_Tables":
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()
        elif error[0] is None:
            raise InputError("the input holds no text, so there is nothing to write")


def _write_jsonl(file: Any, columns: dict[str, list[Any]]) -> None:
    for row in zip(*columns.values(), strict=True):
        values = dict(zip(columns, map(_no_half_surrogate, row), strict=True))
        file.write(json.dumps(values, ensure_ascii=False) + "\n")
    file.flush()


def _no_half_surrogate(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
