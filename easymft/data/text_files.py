"""Text files of unknown origin: gzip, encoding, lines of bounded length."""

import codecs
import contextlib
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from easymft.errors import InputError

MAX_LINE_CHARACTERS = 8_000_000
MAX_UNDECODABLE_SHARE = 0.01
CHUNK_BYTES = 1 << 20

_GZIP_MAGIC = b"\x1f\x8b"
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


def find_encoding(path: Path, stated: str) -> Encoding:
    """Take the stated encoding, or detect it when `stated` is "auto".

    Detection goes by the byte order mark, then by whether the whole file is UTF-8. A file that
    is not, is read as cp1252 (latin-1 with Western punctuation), unless its other non-ASCII
    characters show that it is UTF-8 with some damage.

    Raises:
        InputError: The file cannot be read, or `stated` is no encoding.
    """
    if stated != "auto":
        try:
            codec = codecs.lookup(stated).name
        except LookupError:
            message = f"no such encoding. Received: {stated!r}"
            raise InputError(message, field="data.encoding") from None
        # Spreadsheet programs put a byte order mark before UTF-8; it is no text.
        codec = "utf-8-sig" if codec == "utf-8" else codec
        undecodable, _, size = _try_decoding(path, codec)
        return Encoding(codec, f"{stated} (stated)", undecodable, size)
    with open_bytes(path) as handle:
        head = handle.read(CHUNK_BYTES)
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
        with open(path, "rb") as handle:
            packed = handle.peek(2)[:2] == _GZIP_MAGIC
            yield gzip.GzipFile(fileobj=handle) if packed else handle
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"damaged gzip file ({error})", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", file=path) from None


@contextlib.contextmanager
def open_lines(path: Path, encoding: Encoding) -> Iterator[Iterator[str]]:
    """Iterate over a file's physical lines, line ends kept; undecodable bytes become U+FFFD."""
    with open_bytes(path) as handle:
        text = io.TextIOWrapper(handle, encoding.codec, errors="replace", newline="")
        yield _bounded_lines(text, path)


def _bounded_lines(text: TextIO, path: Path) -> Iterator[str]:
    # A file without line ends must not be read into memory whole.
    for number, line in enumerate(iter(lambda: text.readline(MAX_LINE_CHARACTERS), ""), 1):
        if len(line) == MAX_LINE_CHARACTERS:
            message = f"a line of {MAX_LINE_CHARACTERS:,} characters or more; is this a text file?"
            raise InputError(message, file=path, line=number)
        yield line


def _try_decoding(path: Path, codec: str) -> tuple[int, int, int]:
    """Undecodable sequences, good non-ASCII characters, and bytes of the whole file."""
    decoder = codecs.getincrementaldecoder(codec)(errors="replace")
    undecodable = foreign = size = 0
    with open_bytes(path) as handle:
        while True:
            chunk = handle.read(CHUNK_BYTES)
            size += len(chunk)
            text = decoder.decode(chunk, final=not chunk)
            if not text.isascii():
                undecodable += text.count("\ufffd")
                foreign += len(re.findall(r"[^\x00-\x7f\ufffd]", text))
            if not chunk:
                return undecodable, foreign, size
