"""Objects of JSON as rows: one a line (JSONL), or the items of one array."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from easymft.data.files.encoding import Encoding, find_encoding
from easymft.data.files.row_source import RowSource
from easymft.data.files.text_files import (
    CHUNK_BYTES,
    MAX_LINE_CHARACTERS,
    Lines,
    open_text,
)
from easymft.errors import InputError, did_you_mean, listed

# Objects may be dictionaries of anything: what comes behind so many different keys is no column.
MAX_KEYS = 1_000

_SPACE = re.compile(r"\s*")
_SEPARATOR = re.compile(r"\s*([,\]])")
_Fault = Callable[[str, int | None], None]


def read_json(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and values by role of every object.

    The number of an array's item, from 1, stands for its line. A key that an object lacks is a
    fault of that row, or None where the role is optional.

    Raises:
        InputError: The file cannot be read, or holds something else than objects one a line or in
            an array.
    """
    encoding = source.checked(find_encoding(source.path, source.encoding))
    needed = [name for role, name in source.columns.items() if role not in source.optional]
    for number, record in _objects(source, encoding, source.fault):
        absent = [name for name in needed if name not in record]
        if absent:
            hint = did_you_mean(absent[0], record)
            source.fault(f"no key {absent[0]!r}; keys found: {listed(record)}{hint}", number)
            continue
        yield number, {role: record.get(name) for role, name in source.columns.items()}


def json_columns(source: RowSource) -> list[str]:
    """Return the keys that any object of the file has, those of `source.columns` in any case."""
    encoding = find_encoding(source.path, source.encoding)
    wanted, keys = set(source.columns.values()), {}
    for _, record in _objects(source, encoding, lambda message, line: None):
        if record.keys() - keys.keys():
            keys |= {key: None for key in record if len(keys) < MAX_KEYS or key in wanted}
    return list(keys)


def _objects(
    source: RowSource, encoding: Encoding, fault: _Fault
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and content of every object; what is none goes to `fault`."""
    with open_text(source.path, encoding.codec) as text:
        is_array = _begins_array(text.read(CHUNK_BYTES).lstrip())
    source.note(f"{encoding.note}, a JSON array" if is_array else encoding.note)
    with open_text(source.path, encoding.codec) as text:
        found = _items(text, source.path) if is_array else _line_values(source, text, fault)
        for number, value in found:
            if isinstance(value, dict):
                yield number, value
            else:
                fault(f"must be a JSON object. Received: a {type(value).__name__}", number)


def _begins_array(start: str) -> bool:
    """Return whether this is the start of one array, and not of a list a line."""
    line, _, others = start.partition("\n")
    if not others.isspace() and others:
        try:
            json.loads(line)
        except (ValueError, RecursionError):
            pass
        else:
            return False
    return start.startswith("[")


def _line_values(source: RowSource, text: TextIO, fault: _Fault) -> Iterator[tuple[int, Any]]:
    """Yield number and value of every line that is not blank."""
    lines = Lines(text, source.path)
    filled = ((n, line) for n, line in lines.numbered(fault) if not line.isspace())
    start = list(itertools.islice(filled, 2))
    _check_layout(source, [line for _, line in start])
    for number, line in itertools.chain(start, filled):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            fault(f"not valid JSON ({_reason(error)}); each line holds one object", number)
        else:
            source.tally.rows += 1
            yield number, value
    source.tally.lines += lines.number


def _check_layout(source: RowSource, start: list[str]) -> None:
    """Refuse at once, by the first two lines, what is no row a line.

    Raises:
        InputError: An object goes on from line to line, or one object holds whole columns.
    """
    first, second = (*start, "", "")[:2]
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        if first.lstrip().startswith("{") and not second.lstrip().startswith("{"):
            raise InputError(
                "holds an object that goes on from line to line; write one object a line (JSONL),"
                " or one array of objects: [{...}, {...}]",
                file=source.path,
                line=1,
            ) from None
        return
    wanted = source.columns.values()
    is_alone = isinstance(value, dict) and wanted and not second
    if is_alone and all(isinstance(value.get(name), dict | list) for name in wanted):
        raise InputError(
            "is one object of whole columns; write one object a row: in pandas"
            ' to_json(..., orient="records", lines=True)',
            file=source.path,
            line=1,
        )


def _items(text: TextIO, path: Path) -> Iterator[tuple[int, Any]]:
    """Yield number (from 1) and value of every item of an array, read piece by piece."""
    decode = json.JSONDecoder().raw_decode
    pending = text.read(CHUNK_BYTES).lstrip()
    position = 1  # behind the bracket
    if pending[1:].lstrip().startswith("]"):
        return
    for number in itertools.count(1):
        while True:
            separator, reason = None, "the array ends in the middle of it"
            try:
                value, end = decode(pending, _SPACE.match(pending, position).end())
                separator = _SEPARATOR.match(pending, end)
            except (ValueError, RecursionError) as error:
                reason = _reason(error)
            if separator:
                break
            size = len(pending) - position
            more = text.read(max(CHUNK_BYTES, size)) if size < MAX_LINE_CHARACTERS else ""
            if not more:
                message = f"row {number:,} of the array is not valid JSON ({reason})"
                raise InputError(message, file=path, line=number)
            pending, position = pending[position:] + more, 0
        yield number, value
        position = separator.end()
        if separator[1] == "]":
            break
    if (pending[position:] + text.read(CHUNK_BYTES)).strip():
        raise InputError("something stands behind the array", file=path, line=number)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return getattr(error, "msg", "a number too long")
