"""Streams of unknown content: standard input, pipes, devices."""

import codecs
import contextlib
import csv
import gzip
import io
import json
import logging
import os
import re
import stat
import sys
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from easymft.data.files.dialect import DELIMITERS
from easymft.data.files.text_files import MAX_LINE_CHARACTERS
from easymft.errors import InputError

logger = logging.getLogger(__name__)

STANDARD_INPUT = "-"
_OBJECTS = re.compile(r"\[\s*\{")  # a JSON array of objects
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
# So many lines that all have as many cells as the first are a table, not prose.
_TABLE_LINES = 3
_CHUNK_BYTES = 1 << 16  # what a pipe holds
_FEW = 10  # bytes that may be damaged in any text


def is_stream(source: str) -> bool:
    """Return whether something is read once only: standard input, a pipe, a device."""
    if source == STANDARD_INPUT:
        return True
    try:
        mode = os.stat(source).st_mode
    except (OSError, ValueError):
        return False
    # `/dev/stdin` may be a file, which has another name then.
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or Path(source).parts[:2] == ("/", "dev")


def name_of(source: str) -> str:
    """Return what messages call a stream."""
    return "standard input" if source == STANDARD_INPUT else source


@contextlib.contextmanager
def open_stream(source: str) -> Iterator[BinaryIO]:
    """Open a stream, gzip or not, that can be looked into by `beginning`.

    Raises:
        InputError: It cannot be read.
    """
    try:
        standard = source == STANDARD_INPUT
        with contextlib.nullcontext(sys.stdin.buffer) if standard else _opened(source) as raw:
            yield raw if hasattr(raw, "peek") else io.BufferedReader(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"damaged gzip file ({error})", file=name_of(source)) from None


def _opened(source: str) -> BinaryIO:
    try:
        return open(Path(source).expanduser(), "rb")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=source) from None


def beginning(stream: BinaryIO) -> bytes:
    """Return the first bytes, unpacked, of a stream that nothing was read of; none is taken."""
    head = stream.peek(1)
    if not head.startswith(_GZIP):
        return head
    return zlib.decompressobj(wbits=31).decompress(head, len(head))


def told_format(head: bytes, columns: Collection[str]) -> str:
    """Return the format that a stream's beginning tells: csv, tsv, jsonl, parquet, or lines.

    Args:
        head: The first bytes.
        columns: Names of the columns that must be there: a table is what names them all first.
    """
    if head.startswith(_PARQUET):
        return "parquet"
    lines = _text(head).lstrip().splitlines() or [""]
    if lines[0].lower().strip('"').startswith("sep="):  # Excel's
        return "csv"
    if _is_object(lines[0], is_cut=len(lines) == 1) or _OBJECTS.match("".join(lines)):
        return "jsonl"
    for delimiter in DELIMITERS:
        cells = {cell.strip() for cell in _cells(lines[0], delimiter)}
        if cells.issuperset(columns):
            return "tsv" if delimiter == "\t" else "csv"
    return "lines"


def looks_like_table(head: bytes) -> bool:
    """Return whether the first lines all have as many cells, and more than one."""
    lines = [line.removesuffix("\r") for line in _text(head).split("\n")[:-1]]
    for delimiter in DELIMITERS:
        widths = {len(_cells(line, delimiter)) for line in lines}
        if len(lines) >= _TABLE_LINES and len(widths) == 1 and widths != {1}:
            return True
    return False


def _text(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace")
    return head.decode("utf-8-sig", "replace")


def _is_object(line: str, is_cut: bool) -> bool:
    """Return whether a line is a JSON object, or may be the beginning of one."""
    if not line.startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return is_cut


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def count_lines(stream: BinaryIO, name: str) -> int:
    """Return the number of lines that `line_groups` would give."""
    return sum(len(group.removesuffix(b"\n").split(b"\n")) for group in _whole_lines(stream, name))


def line_groups(stream: BinaryIO, name: str) -> Iterator[list[str]]:
    """Yield the lines of a stream without their ends: those that have come, whenever some have.

    Lines are UTF-8; bytes that are not become U+FFFD, with a warning.

    Raises:
        InputError: A line is longer than any text, or the first lines are no UTF-8 text.
    """
    count, is_warned = 0, False
    for group in _whole_lines(stream, name):
        if not count:
            _refuse_other_encodings(group, name)
        text, bad = _decoded(group)
        if bad is not None and not is_warned:
            logger.warning("%s:%d: bytes that are no UTF-8 become U+FFFD", name, count + bad + 1)
            is_warned = True
        text = text if count else text.removeprefix("\ufeff")
        lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        count += len(lines)
        yield lines


def _whole_lines(stream: BinaryIO, name: str) -> Iterator[bytes]:
    begun, count = bytearray(), 0
    if stream.peek(1).startswith(_GZIP):
        stream = gzip.GzipFile(fileobj=stream)
    while chunk := stream.read1(_CHUNK_BYTES):
        begun += chunk
        if end := begun.rfind(b"\n", len(begun) - len(chunk)) + 1:
            group = bytes(begun[:end])
            del begun[:end]
            count += group.count(b"\n")
            yield group
        elif len(begun) > MAX_LINE_CHARACTERS:
            message = f"a line of {MAX_LINE_CHARACTERS:,} bytes or more; is this a text?"
            raise InputError(message, file=name, line=count + 1)
    if begun:
        yield bytes(begun)


def _refuse_other_encodings(group: bytes, name: str) -> None:
    bad = group.decode("utf-8", "replace").count("\ufffd") + group.count(0)
    if bad > max(_FEW, len(group) // 10):
        raise InputError(
            f"{bad:,} of the first {len(group):,} bytes are no UTF-8 text; convert it to UTF-8, or"
            " give the name of a file",
            file=name,
        )


def _decoded(group: bytes) -> tuple[str, int | None]:
    """Return lines as text, and the place of the first that is not UTF-8, if any."""
    try:
        return group.decode(), None
    except UnicodeDecodeError as error:
        return group.decode("utf-8", "replace"), group.count(b"\n", 0, error.start)
