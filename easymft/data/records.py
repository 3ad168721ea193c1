"""JSONL, Parquet, and folders of text files, row by row."""

import json
from collections.abc import Iterator
from typing import Any

from easymft.data.columns import MAX_CELL_CHARACTERS, nearest_hint
from easymft.data.row_source import RowSource
from easymft.data.text_files import find_encoding, open_bytes, open_lines
from easymft.errors import InputError

BATCH_ROWS = 50_000


def read_jsonl(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and values by role of every JSON object, one a line."""
    encoding = source.checked(find_encoding(source.path, source.encoding))
    source.note(encoding.note)
    with open_lines(source.path, encoding) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                reason = getattr(error, "msg", "nested too deeply")
                source.fault(f"not valid JSON ({reason}); each line holds one object", number)
                continue
            if not isinstance(record, dict):
                message = f"must be a JSON object. Received: a {type(record).__name__}"
                source.fault(message, number)
                continue
            absent = [name for name in source.columns.values() if name not in record]
            if absent:
                hint = nearest_hint(absent[0], record)
                found = ", ".join(map(repr, record))
                source.fault(f"no key {absent[0]!r}; keys found: {found}{hint}", number)
                continue
            yield number, {role: record[name] for role, name in source.columns.items()}


def read_parquet(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield row number (from 1) and values by role of every row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source.path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"cannot be read as Parquet ({reason})", file=source.path) from None
    with file:
        source.find_columns(file.schema_arrow.names)
        number = 0
        try:
            names = list(dict.fromkeys(source.columns.values()))
            for batch in file.iter_batches(BATCH_ROWS, columns=names):
                values = {
                    role: batch.column(names.index(name)).to_pylist()
                    for role, name in source.columns.items()
                }
                for cells in zip(*values.values(), strict=True):
                    number += 1
                    yield number, dict(zip(values, cells, strict=True))
        except (pa.ArrowException, OSError) as error:
            reason = str(error).split("\n")[0]
            message = f"damaged Parquet file ({reason})"
            raise InputError(message, file=source.path, line=number + 1) from None


def read_text(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the one text of a `domain/label/name.txt`."""
    encoding = source.checked(find_encoding(source.path, source.encoding))
    source.note(encoding.note)
    with open_bytes(source.path) as handle:
        # Four bytes a character at most; one more shows that the text is too long.
        text = handle.read(4 * MAX_CELL_CHARACTERS + 4).decode(encoding.codec, errors="replace")
    label = source.path.parent
    yield 1, {"text": text, "label": label.name, "domain": label.parent.name}
