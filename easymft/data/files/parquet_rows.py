"""Parquet, row by row."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from easymft.data.files.row_source import RowSource
from easymft.errors import InputError
from easymft.fetch.archives import most_unpacked

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 50_000
# Text that is unpacked at a time: a dictionary in a small Parquet file may repeat a long text in
# every row.
SLICE_BYTES = 16 << 20


def read_parquet(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield row number (from 1) and values by role of every row.

    Raises:
        InputError: The file cannot be read, lacks a column, holds something else than text and
            numbers in one, or unpacks to far more than a file of its size should.
    """
    import pyarrow as pa

    schema = _schema(source.path)
    number = 0
    try:
        for batch in _batches(source, schema):
            values = {role: cells(batch.column(role)) for role in batch.schema.names}
            for row in zip(*values.values(), strict=True):
                number += 1
                yield number, dict(zip(values, row, strict=True))
    except (pa.ArrowException, OSError) as error:
        message = f"damaged Parquet file ({_reason(error)})"
        raise InputError(message, file=source.path, line=number + 1) from None


def parquet_columns(source: RowSource) -> list[str]:
    """Return the names of the columns, without the space around them."""
    return [name.strip() for name in _schema(source.path).names]


def _schema(path: Path) -> "pa.Schema":
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Arrow would wait for a pipe.
    if not path.is_file():
        raise InputError("is not a file but a folder, a pipe or a device", file=path)
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"cannot be read as Parquet ({_reason(error)})", file=path) from None


def _reason(error: Exception) -> str:
    return str(error).split("\n")[0]


def _batches(source: RowSource, schema: "pa.Schema") -> Iterator["pa.RecordBatch"]:
    """Yield batches with a column by role; text as a dictionary, and little of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    places = source.find_columns(schema.names)
    names = {role: schema.names[place] for role, place in places.items()}
    for role, place in places.items():
        rule = "text" if role in ("text", "text_pair") else "text or numbers"
        if not holds(rule, schema.types[place]):
            raise InputError(
                f"column {names[role]!r} must hold {rule}. Received: {schema.types[place]}",
                file=source.path,
                field=f"data.columns.{role}",
            )
    texts = [name for name in names.values() if holds("text", schema.field(name).type)]
    unpacked, most = 0, most_unpacked(source.path)
    with pq.ParquetFile(source.path, read_dictionary=texts) as file:
        if _stated_bytes(file.metadata, set(names.values())) > most:
            raise _too_large(most, source.path)
        for batch in file.iter_batches(BATCH_ROWS, columns=list(dict.fromkeys(names.values()))):
            ends = np.cumsum(_sizes(batch))
            unpacked += int(ends[-1]) if len(ends) else 0
            if unpacked > most:
                raise _too_large(most, source.path)
            batch = pa.record_batch({role: batch.column(name) for role, name in names.items()})
            # Cut where another `SLICE_BYTES` of text have come together.
            starts = np.flatnonzero(np.diff(ends // SLICE_BYTES, prepend=-1))
            for start, end in zip(starts, [*starts[1:], batch.num_rows], strict=True):
                yield batch.slice(start, end - start)


def holds(rule: str, kind: "pa.DataType") -> bool:
    """Return whether a column of this type keeps the rule "text" or "text or numbers"."""
    from pyarrow import types

    while types.is_dictionary(kind):
        kind = kind.value_type
    checks = [types.is_string, types.is_large_string, types.is_string_view, types.is_null]
    if rule != "text":
        checks += [types.is_integer, types.is_floating, types.is_boolean, types.is_decimal]
    return any(check(kind) for check in checks)


def _stated_bytes(metadata: Any, names: set[str]) -> int:
    """Return the bytes that the wanted columns unpack to, as the file itself says."""
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    columns = (group.column(i) for group in groups for i in range(group.num_columns))
    return sum(c.total_uncompressed_size for c in columns if c.path_in_schema in names)


def _sizes(batch: "pa.RecordBatch") -> np.ndarray:
    """Return the bytes of every row's texts, `(rows,)`, and one more for the row itself."""
    import pyarrow as pa
    import pyarrow.compute as pc

    sizes = np.ones(batch.num_rows, np.int64)
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            lengths = pc.binary_length(column.dictionary.cast(pa.large_binary()))
            sizes += pc.fill_null(lengths.take(column.indices), 0).to_numpy(zero_copy_only=False)
    return sizes


def cells(column: "pa.Array") -> list[Any]:
    """Return Python values; what is no UTF-8 stays bytes, no text to whoever checks it."""
    import pyarrow as pa

    if pa.types.is_float32(column.type) or pa.types.is_float16(column.type):
        # In their own precision, in which a tenth is 0.1; none is NaN, as good as missing.
        return list(column.to_numpy(zero_copy_only=False))
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        return [_decoded(cell) for cell in plain.cast(pa.large_binary()).to_pylist()]


def _decoded(cell: bytes | None) -> str | bytes | None:
    try:
        return None if cell is None else cell.decode()
    except UnicodeDecodeError:
        return cell


def _too_large(most: int, path: Path) -> InputError:
    return InputError(
        f"unpacks to more than {most >> 20:,} MB of text, far more than a file of its size would;"
        " write it anew without compression if you trust it",
        file=path,
    )
