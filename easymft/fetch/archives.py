"""Unpack archives that strangers made: only plain files, only inside the folder, never a bomb."""

import bz2
import gzip
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from easymft.errors import InputError
from easymft.files import staged

# Most unpacked bytes per packed byte. Text shrinks to a third or a tenth; a bomb of zeros or of one
# repeated line to a thousandth.
MAX_RATIO = 200.0
# Below this many unpacked bytes whatever is packed is harmless, however small it was.
RATIO_FREE_BYTES = 16 << 20
_CHUNK = 1 << 20
_UNPACKERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,  # zipfile: encrypted member
    NotImplementedError,  # zipfile: unknown compression
)


def most_unpacked(path: Path, max_ratio: float = MAX_RATIO) -> int:
    """Return the number of bytes that a packed file may unpack to."""
    return int(max(RATIO_FREE_BYTES, max_ratio * path.stat().st_size))


def unpack(
    archive: str | os.PathLike,
    folder: str | os.PathLike,
    *,
    only: Collection[str] | None = None,
    max_bytes: int = 4 << 30,
    max_ratio: float = MAX_RATIO,
    max_members: int = 100_000,
) -> Path:
    """Unpack a zip (wheel) or tar (plain, gz, bz2, xz) archive, all or nothing.

    Limits count the bytes really written, not those the archive declares. File modes, owners and
    times of the archive are not taken over.

    Args:
        archive: The file to read; its kind is told from its content.
        folder: Where to unpack; replaced if it exists, untouched if anything is refused.
        only: Member names to take; the others are not looked at. `None` takes all.
        max_bytes: Most bytes to write.
        max_ratio: Most bytes to write per byte of the archive.
        max_members: Most members to read.

    Returns:
        `folder`.

    Raises:
        InputError: The archive is broken or of another kind, lacks a member of `only`, goes past
            a limit, or holds an absolute path, a `..`, a link or a device.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise InputError("there is no such archive.", file=archive)
    limit = min(max_bytes, most_unpacked(archive, max_ratio))
    missing = set(only or ())
    with staged(folder) as temporary:
        temporary.mkdir()
        try:
            for count, (name, source) in enumerate(_members(archive, only, limit), start=1):
                if count > max_members:
                    raise InputError(f"holds more than {max_members} members.", file=archive)
                missing.discard(name)
                target = temporary.joinpath(*_safe_parts(name, archive))
                if source is None:
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(target, "xb") as sink:
                    limit -= _copy(source, sink, limit, archive)
        except InputError:
            raise
        except FileExistsError as error:
            raise InputError("holds two members of one name.", file=archive) from error
        except _BROKEN as error:
            message = f"cannot be unpacked ({type(error).__name__}: {error}); get it again."
            raise InputError(message, file=archive) from error
        if missing:
            raise InputError(f"lacks the members {sorted(missing)}.", file=archive)
    return folder


def _members(
    archive: Path, only: Collection[str] | None, limit: int
) -> Iterator[tuple[str, BinaryIO | None]]:
    """Yield (name, open file), or (name, None) for a folder; `limit`: see `_BoundedTar`."""
    if zipfile.is_zipfile(archive):
        yield from _zip_members(archive, only)
    else:
        yield from _tar_members(archive, only, limit)


def _zip_members(
    archive: Path, only: Collection[str] | None
) -> Iterator[tuple[str, BinaryIO | None]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if only is not None and info.filename not in only:
                continue
            # The high half is the Unix mode, 0 where the archive was made elsewhere.
            kind = (info.external_attr >> 16) & 0o170000
            if kind not in (0, 0o100000, 0o040000):
                raise _refusal(info.filename, "is a link or a device", archive)
            if info.is_dir():
                yield info.filename, None
            else:
                with opened.open(info) as source:
                    yield info.filename, source


def _tar_members(
    archive: Path, only: Collection[str] | None, limit: int
) -> Iterator[tuple[str, BinaryIO | None]]:
    with _open_tar(archive) as stream, _BoundedTar(stream, limit, archive).open() as opened:
        for info in opened:
            if only is not None and info.name not in only:
                continue
            if info.isdir():
                yield info.name, None
            elif info.isreg():
                yield info.name, opened.extractfile(info)
            else:
                raise _refusal(info.name, "is a link or a device", archive)


def _open_tar(archive: Path) -> BinaryIO:
    """Open the archive's bytes, unpacked as they are read."""
    with open(archive, "rb") as handle:
        head = handle.read(6)
    for magic, opener in _UNPACKERS.items():
        if head.startswith(magic):
            return opener(archive)
    return open(archive, "rb")


class _BoundedTar:
    """What `tarfile` reads a tar through: members that are skipped are bounded too.

    To skip a member of a packed tar is to unpack it, and `tarfile` reads a header's name whole,
    whatever length the archive states for it.
    """

    def __init__(self, stream: BinaryIO, limit: int, archive: Path):
        self._stream, self._archive = stream, archive
        # Headers and padding; a plain tar may be long, since nothing in it grows.
        self._limit = max(limit + _CHUNK, archive.stat().st_size)
        self.tell = stream.tell

    def open(self) -> tarfile.TarFile:
        return tarfile.open(fileobj=self, mode="r:")

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _CHUNK:
            raise _too_large(self._archive)
        return self._stream.read(size)

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET and position > self._limit:
            raise _too_large(self._archive)
        return self._stream.seek(position, whence)


def _safe_parts(name: str, archive: Path) -> list[str]:
    """Return the path components of a member name that stays inside its folder on every system."""
    if "\\" in name or "\0" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise _refusal(name, "has a path that is not relative", archive)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _refusal(name, "leaves the folder", archive)
    return parts


def _copy(source: BinaryIO, sink: BinaryIO, limit: int, archive: Path) -> int:
    """Copy at most `limit` bytes; return how many were copied."""
    copied = 0
    while chunk := source.read(_CHUNK):
        copied += len(chunk)
        if copied > limit:
            raise _too_large(archive)
        sink.write(chunk)
    return copied


def _refusal(name: str, reason: str, archive: Path) -> InputError:
    return InputError(f"refused: member {name!r} {reason}.", file=archive)


def _too_large(archive: Path) -> InputError:
    return InputError(
        "unpacks to far more bytes than it should; it is not what it claims to be.", file=archive
    )
