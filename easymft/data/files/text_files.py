"""Text files of unknown origin: gzip, lines of bounded length."""

import contextlib
import gzip
import io
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import AnyStr, BinaryIO, Generic, Protocol, TextIO

from easymft.errors import InputError
from easymft.fetch.archives import most_unpacked

# A line holds a row, and so a few cells (`columns.MAX_CELL_CHARACTERS`). Longer ones are skipped
# piece by piece, so that a file without line ends is never in memory whole.
MAX_LINE_CHARACTERS = 8_000_000
CHUNK_BYTES = 1 << 20

_GZIP_MAGIC = b"\x1f\x8b"


class LongLine(InputError):  # noqa: N818 (it is one)
    """A line beyond the limit; the lines after it can still be read."""

    def __init__(self, path: Path, number: int):
        message = f"a line of {MAX_LINE_CHARACTERS:,} characters or more; is this a text file?"
        super().__init__(message, file=path, line=number)
        self.message = message


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
def open_text(path: Path, codec: str) -> Iterator[TextIO]:
    """Open a file as text, line ends kept; undecodable bytes become U+FFFD."""
    with open_bytes(path) as handle:
        yield io.TextIOWrapper(handle, codec, errors="replace", newline="")


@contextlib.contextmanager
def open_lines(path: Path, codec: str) -> Iterator["Lines[str]"]:
    """Read a file's physical lines; see `open_text`."""
    with open_text(path, codec) as text:
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
