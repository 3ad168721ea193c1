"""Predictions into a file or onto standard output, in the order of their texts."""

import contextlib
import glob
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from easymft.errors import InputError
from easymft.fetch import remote
from easymft.files import TEMPORARY, staged, without_leftovers

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
# Rows and bytes of a row group: readers of Parquet take groups of ten thousands of rows.
GROUP_ROWS, GROUP_BYTES = 50_000, 64 << 20

Columns = dict[str, list[Any]]
Write = Callable[[Columns], None]


class NoTextsError(InputError):
    """The input has no row."""

    def __init__(self) -> None:
        super().__init__("the input holds no text, so there is nothing to write")


@contextlib.contextmanager
def open_output(output: str) -> Iterator[Write]:
    """Yield a function that appends columns of equal length, as the name's suffix says.

    A file appears when the block has succeeded, at a URL too; what a killed process left of it
    goes. `"-"` is JSONL on standard output, line by line.

    Raises:
        InputError: Another suffix than those of `FORMATS`.
    """
    if output == "-":
        yield lambda columns: _write_jsonl(sys.stdout, columns)
        return
    path = Path(output).expanduser()
    if path.suffix not in FORMATS:
        raise InputError(
            f"must end in one of {', '.join(FORMATS)}. Received: {path.name}", file=path
        )
    if remote.is_url(output):
        with remote.written(output, "--output") as copy, open_output(str(copy)) as write:
            yield write
        return
    if path.is_dir():
        raise InputError("is a folder; name a file", file=path, field="--output")
    leftovers = f"{TEMPORARY}????????-{glob.escape(path.name)}"
    _make_place(path)
    with without_leftovers(path.parent, leftovers), staged(path) as temporary:
        if path.suffix == ".jsonl":
            with open(temporary, "w", encoding="utf-8", newline="\n") as file:
                yield lambda columns: _write_jsonl(file, columns)
        else:
            with _Tables(temporary) as tables:
                yield tables.write


def _make_place(path: Path) -> None:
    """Make the folder of a file, and see now, not after hours, whether it may be written in."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            return
    except OSError as error:
        message = f"cannot be written ({error.strerror}); choose another place"
        raise InputError(message, file=path, field="--output") from None


class _Tables:
    """Appends to a Parquet, CSV or TSV file; the first columns say what the file holds."""

    def __init__(self, path: Path):
        self._path = path
        self._writer: Any = None
        self._waiting: list[Any] = []

    def write(self, columns: Columns) -> None:
        """Append columns, each of texts, of numbers or of truth values."""
        import pyarrow as pa

        kinds = {str: pa.string(), float: pa.float32(), bool: pa.bool_()}
        table = pa.table(
            {
                name: pa.array(map(_no_half_surrogate, values), kinds[type(values[0])])
                for name, values in columns.items()
            }
        )
        self._waiting.append(table)
        rows = sum(waiting.num_rows for waiting in self._waiting)
        if rows >= GROUP_ROWS or sum(waiting.nbytes for waiting in self._waiting) >= GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        table = pa.concat_tables(self._waiting).combine_chunks()
        self._writer = self._writer or self._open(table.schema)
        self._writer.write_table(table)
        self._waiting = []

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
        if self._waiting and error[0] is None:
            self._write_group()
        if self._writer is not None:
            self._writer.close()
        elif error[0] is None:
            raise NoTextsError


def _write_jsonl(file: Any, columns: Columns) -> None:
    for row in zip(*columns.values(), strict=True):
        values = dict(zip(columns, map(_no_half_surrogate, row), strict=True))
        file.write(json.dumps(values, ensure_ascii=False) + "\n")
    file.flush()


def _no_half_surrogate(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
