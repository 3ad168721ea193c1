"""JSONL, Parquet, and folders of text files, row by row."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from easymft.data.files.columns import MAX_CELL_CHARACTERS
from easymft.data.files.row_source import RowSource
from easymft.data.files.text_files import find_encoding, open_bytes, open_lines
from easymft.errors import InputError, did_you_mean, listed
from easymft.fetch.archives import most_unpacked

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 50_000
# Text that is unpacked at a time: a dictionary in a small Parquet file may repeat a long text in
# every row.
SLICE_BYTES = 16 << 20


def read_jsonl(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and values by role of every JSON object, one a line."""
    encoding = source.checked(find_encoding(source.path, source.encoding))
    source.note(encoding.note)
    with open_lines(source.path, encoding) as lines:
        for number, line in lines.numbered(source.fault):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                deep = isinstance(error, RecursionError)
                reason = "nested too deeply" if deep else getattr(error, "msg", "a number too long")
                source.fault(f"not valid JSON ({reason}); each line holds one object", number)
                continue
            if not isinstance(record, dict):
                message = f"must be a JSON object. Received: a {type(record).__name__}"
                source.fault(message, number)
                continue
            absent = [name for name in source.columns.values() if name not in record]
            if absent:
                hint = did_you_mean(absent[0], record)
                message = f"no key {absent[0]!r}; keys found: {listed(record)}{hint}"
                source.fault(message, number)
                continue
            yield number, {role: record[name] for role, name in source.columns.items()}


def read_parquet(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield row number (from 1) and values by role of every row.

    Raises:
        InputError: The file cannot be read, lacks a column, holds something else than text and
            numbers in one, or unpacks to far more than a file of its size should.
    """
    import pyarrow as pa

    number = 0
    try:
        for batch in _batches(source):
            values = {role: _cells(batch.column(role)) for role in source.columns}
            for cells in zip(*values.values(), strict=True):
                number += 1
                yield number, dict(zip(values, cells, strict=True))
    except (pa.ArrowException, OSError) as error:
        reason = str(error).split("\n")[0]
        if number:
            message = f"damaged Parquet file ({reason})"
            raise InputError(message, file=source.path, line=number + 1) from None
        raise InputError(f"cannot be read as Parquet ({reason})", file=source.path) from None


def _batches(source: RowSource) -> Iterator["pa.RecordBatch"]:
    """Batches with a column by role; text as a dictionary, and little of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not source.path.is_file():
        raise InputError("is not a file but a folder, a pipe or a device", file=source.path)
    schema = pq.read_schema(source.path)
    places = source.find_columns(schema.names)
    names = {role: schema.names[place] for role, place in places.items()}
    for role, place in places.items():
        rule = "text" if role in ("text", "text_pair") else "text or numbers"
        if not _holds(rule, schema.types[place]):
            raise InputError(
                f"column {names[role]!r} must hold {rule}. Received: {schema.types[place]}",
                file=source.path,
                field=f"data.columns.{role}",
            )
    texts = [name for name in names.values() if pa.types.is_string(schema.field(name).type)]
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


def _holds(rule: str, kind: "pa.DataType") -> bool:
    """Whether a column of this type keeps the rule "text" or "text or numbers"."""
    from pyarrow import types

    while types.is_dictionary(kind):
        kind = kind.value_type
    checks = [types.is_string, types.is_large_string, types.is_null]
    if rule != "text":
        checks += [types.is_integer, types.is_floating, types.is_boolean]
    return any(check(kind) for check in checks)


def _stated_bytes(metadata: Any, names: set[str]) -> int:
    """Bytes that the wanted columns unpack to, as the file itself says."""
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    columns = (group.column(i) for group in groups for i in range(group.num_columns))
    return sum(c.total_uncompressed_size for c in columns if c.path_in_schema in names)


def _sizes(batch: "pa.RecordBatch") -> np.ndarray:
    """Bytes of every row's texts, `(rows,)`, and one more for the row itself."""
    import pyarrow as pa
    import pyarrow.compute as pc

    sizes = np.ones(batch.num_rows, np.int64)
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            lengths = pc.binary_length(column.dictionary.cast(pa.large_binary()))
            sizes += pc.fill_null(lengths.take(column.indices), 0).to_numpy(zero_copy_only=False)
    return sizes


def _cells(column: "pa.Array") -> list[Any]:
    """Python values; what is no UTF-8 stays bytes, which is no text to whoever checks it."""
    import pyarrow as pa

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


def read_text(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the one text of a `domain/label/name.txt`."""
    encoding = source.checked(find_encoding(source.path, source.encoding))
    source.note(encoding.note)
    with open_bytes(source.path) as handle:
        # Four bytes a character at most; one more shows that the text is too long.
        text = handle.read(4 * MAX_CELL_CHARACTERS + 4).decode(encoding.codec, errors="replace")
    label = source.path.parent
    yield 1, {"text": text, "label": label.name, "domain": label.parent.name}
