"""Text files of unknown origin: gzip, encoding, lines of bounded length."""

import codecs
import contextlib
import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import AnyStr, BinaryIO, Generic, Protocol, TextIO

from easymft.errors import InputError
from easymft.fetch.archives import most_unpacked

# A line holds a row, and so a few cells (`columns.MAX_CELL_CHARACTERS`). Longer ones are skipped
# piece by piece, so that a file without line ends is never in memory whole.
MAX_LINE_CHARACTERS = 8_000_000
# A file in the encoding said to be its own may be damaged in a byte of a hundred.
MAX_UNDECODABLE_SHARE = 0.01
CHUNK_BYTES = 1 << 20

_GZIP_MAGIC = b"\x1f\x8b"
_NO_TEXT = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV",
    b"BZh91AY&SY": "packed with bzip2; unpack it, or pack it with gzip",
    b"\xfd7zXZ\x00": "packed with xz; unpack it, or pack it with gzip",
    b"\x28\xb5\x2f\xfd": "packed with Zstandard; unpack it, or pack it with gzip",
}
# UTF-32 first: its little-endian mark begins with that of UTF-16.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Encoding:
    """How a file's bytes become text.

    Args:
        codec: Name of the Python codec.
        note: What to tell the user, e.g. "UTF-8 with byte order mark (detected)".
        undecodable: Number of bytes (sequences) the codec cannot read; they become U+FFFD.
        size: Number of bytes, after decompression.
    """

    codec: str
    note: str
    undecodable: int
    size: int

    @property
    def is_damaged(self) -> bool:
        """Whether so much is undecodable that the codec is wrong or the file broken."""
        return self.undecodable > MAX_UNDECODABLE_SHARE * self.size


class LongLine(InputError):  # noqa: N818 (it is one)
    """A line beyond the limit; the lines after it can still be read."""

    def __init__(self, path: Path, number: int):
        message = f"a line of {MAX_LINE_CHARACTERS:,} characters or more; is this a text file?"
        super().__init__(message, file=path, line=number)
        self.message = message


def find_encoding(path: Path, stated: str) -> Encoding:
    """Take the stated encoding, or detect it when `stated` is "auto".

    Detection goes by the byte order mark, then by whether the whole file is UTF-8. A file that
    is not, is read as cp1252 (latin-1 with Western punctuation), unless its other non-ASCII
    characters show that it is UTF-8 with some damage.

    Raises:
        InputError: The file cannot be read or is no text, or `stated` is no encoding.
    """
    with open_bytes(path) as handle:
        head = handle.read(CHUNK_BYTES)
    for magic, kind in _NO_TEXT.items():
        if head.startswith(magic):
            raise InputError(f"is {kind}", file=path)
    if stated != "auto":
        codec = _codec(stated)
        undecodable, _, size = _try_decoding(path, codec)
        return Encoding(codec, f"{stated} (stated)", undecodable, size)
    for mark, codec in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            undecodable, _, size = _try_decoding(path, codec)
            name = codec.removesuffix("-sig").upper()
            return Encoding(codec, f"{name} with byte order mark", undecodable, size)
    if head.count(0) > len(head) // 10:
        raise InputError(
            "holds many zero bytes: UTF-16 without a byte order mark, or no text at all; state"
            " its encoding (utf-16-le, utf-16-be)",
            file=path,
            field="data.encoding",
        )
    undecodable, foreign, size = _try_decoding(path, "utf-8")
    if undecodable <= foreign:
        return Encoding("utf-8", "UTF-8 (detected)", undecodable, size)
    undecodable, _, size = _try_decoding(path, "cp1252")
    return Encoding("cp1252", "not UTF-8, read as cp1252 (guessed)", undecodable, size)


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file, gzip or not; trouble in reading it ends as `InputError`."""
    try:
        # A pipe would be waited for, and a file is read more than once.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError("is not a file but a folder, a pipe or a device", file=path)
        with open(path, "rb") as handle:
            packed = handle.peek(2)[:2] == _GZIP_MAGIC
            yield _BoundedGzip(path, handle) if packed else handle
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"damaged gzip file ({error})", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", file=path) from None


@contextlib.contextmanager
def open_text(path: Path, encoding: Encoding) -> Iterator[TextIO]:
    """Open a file as text, line ends kept; undecodable bytes become U+FFFD."""
    with open_bytes(path) as handle:
        yield io.TextIOWrapper(handle, encoding.codec, errors="replace", newline="")


@contextlib.contextmanager
def open_lines(path: Path, encoding: Encoding) -> Iterator["Lines[str]"]:
    """Read a file's physical lines; see `open_text`."""
    with open_text(path, encoding) as text:
        yield Lines(text, path)


class _Readable(Protocol[AnyStr]):
    def readline(self, size: int) -> AnyStr: ...


class Lines(Generic[AnyStr]):
    """Iterates over the lines of an open file, as text or bytes.

    A line beyond `MAX_LINE_CHARACTERS` raises `LongLine` and is skipped; the next call of `next`
    gives the line after it.
    """

    def __init__(self, handle: _Readable[AnyStr], path: Path):
        self._handle, self.path = handle, path
        self.number = 0

    def __iter__(self) -> Iterator[AnyStr]:
        return self

    def __next__(self) -> AnyStr:
        line = self._handle.readline(MAX_LINE_CHARACTERS)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) < MAX_LINE_CHARACTERS:
            return line
        while not _is_ended(line) and (line := self._handle.readline(CHUNK_BYTES)):
            continue
        raise LongLine(self.path, self.number)

    def numbered(self, fault: Callable[[str, int], None]) -> Iterator[tuple[int, AnyStr]]:
        """Yield (line number, line), with a call of `fault` for every line beyond the limit."""
        while True:
            try:
                line = next(self)
            except StopIteration:
                return
            except LongLine as error:
                fault(error.message, self.number)
            else:
                yield self.number, line


class _BoundedGzip(gzip.GzipFile):
    """Unpacks no more than a text file can hold for its packed size."""

    def __init__(self, path: Path, handle: BinaryIO):
        super().__init__(fileobj=handle)
        self._path, self._most = path, most_unpacked(path)

    def read(self, size: int | None = -1) -> bytes:
        return self._counted(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._counted(super().read1(size))

    def readline(self, size: int | None = -1) -> bytes:
        return self._counted(super().readline(size))

    def _counted(self, content: bytes) -> bytes:
        if self.tell() > self._most:
            raise InputError(
                f"unpacks to more than {self._most >> 20:,} MB, far more than a text of its size"
                " would; unpack it yourself if you trust it",
                file=self._path,
            )
        return content


def _is_ended(line: AnyStr) -> bool:
    return line.endswith(("\n", "\r") if isinstance(line, str) else b"\n")


def _codec(stated: str) -> str:
    """The name of the codec that a recipe states."""
    try:
        codec = codecs.lookup(stated).name
        # Some codecs turn bytes into bytes, or cannot go on after an error.
        is_text = isinstance(codecs.getincrementaldecoder(codec)("replace").decode(b"a\n"), str)
    except (LookupError, ValueError, AssertionError, TypeError):
        is_text = False
    if not is_text:
        raise InputError(
            f"no such encoding; usual are utf-8, cp1252 and utf-16. Received: {stated!r}",
            field="data.encoding",
        )
    # Spreadsheet programs put a byte order mark before UTF-8; it is no text.
    return "utf-8-sig" if codec == "utf-8" else codec


def _try_decoding(path: Path, codec: str) -> tuple[int, int, int]:
    """Undecodable sequences, good non-ASCII characters, and bytes of the whole file."""
    decoder = codecs.getincrementaldecoder(codec)(errors="replace")
    undecodable = foreign = size = 0
    with open_bytes(path) as handle:
        while True:
            chunk = handle.read(CHUNK_BYTES)
            size += len(chunk)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                # Some codecs cannot go on: UTF-32 without its mark.
                message = f"cannot be read as {codec} ({error})"
                raise InputError(message, file=path, field="data.encoding") from None
            if not text.isascii():
                undecodable += text.count("\ufffd")
                foreign += len(re.findall(r"[^\x00-\x7f\ufffd]", text))
            if not chunk:
                return undecodable, foreign, size
