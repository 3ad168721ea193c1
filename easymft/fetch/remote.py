"""Files that are elsewhere: `s3://`, `gs://`, `memory://` and whatever else fsspec reads."""

import contextlib
import glob
import json
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from easymft import files
from easymft.errors import InputError, shown
from easymft.fetch.cache import cache_dir

_URL = re.compile(r"[a-z][a-z0-9+.]*(::|://)", re.IGNORECASE)
# What tells one content of a file from the next, in the words of several file systems.
_MARKS = ("size", "ETag", "etag", "md5Hash", "LastModified", "mtime", "last_commit", "created")


def is_url(name: object) -> bool:
    """Return whether a name leads to another file system than this machine's."""
    return isinstance(name, str) and _URL.match(name) is not None


def joined(folder: str, name: str) -> str:
    """Return a name, which is relative to a folder unless it is a whole path or URL."""
    if is_url(folder) and not is_url(name):
        return f"{folder.rstrip('/')}/{name}"
    return name if is_url(name) else os.path.join(folder, os.path.expanduser(name))


def copies(pattern: str, field: str, folder: Path | None = None) -> list[Path]:
    """Return copies on this machine of the files that a URL or a glob of URLs names.

    They have the names and folders that they have there, so what depends on these (formats, ids,
    `column=value`) is as it would be there. A folder is copied with all it holds.

    Args:
        pattern: The URL.
        field: What named it, for messages.
        folder: Where to; by default the cache, where a file is copied again once it has changed.

    Returns:
        The copies of the files and folders that match, sorted; none, if nothing does.

    Raises:
        InputError: It cannot be read.
    """
    root = cache_dir() / "remote" if folder is None else folder
    with _reading(pattern, field):
        system, path = _opened(pattern)
        if glob.has_magic(path):
            matches = sorted(system.glob(path))
        else:
            matches = [path] if system.exists(path) else []
        return [_copy(system, match, root, field) for match in matches]


@contextlib.contextmanager
def written(url: str, field: str) -> Iterator[Path]:
    """Yield a path on this machine; what stands there is put to a URL when the block succeeds.

    Raises:
        InputError: Nothing can be written there.
    """
    with tempfile.TemporaryDirectory(prefix="easymft-") as folder:
        with _reading(url, field, "written"):
            system, path = _opened(url)
        place = Path(folder, PurePosixPath(path).name)
        yield place
        with _reading(url, field, "written"):
            folder_there = path.rpartition("/")[0]
            system.makedirs(folder_there, exist_ok=True)
            # Under another name first: an upload that was cut short is no file.
            own = f"{files.TEMPORARY}{uuid.uuid4().hex[:8]}-{place.name}"
            temporary = f"{folder_there}/{own}"
            system.put_file(str(place), temporary)
            system.mv(temporary, path)


def listed(pattern: str, field: str) -> list[str]:
    """Return the URLs of the files of rows that a URL names, sorted; of a folder all it holds.

    Args:
        pattern: A file, a folder, or a glob of files.
        field: What named it, for messages.

    Raises:
        InputError: It cannot be read.
    """
    with _reading(pattern, field):
        system, path = _opened(pattern)
        if glob.has_magic(path):
            found = system.glob(path)
        else:
            found = system.find(path) if system.isdir(path) else [path] * system.exists(path)
        shown = [file for file in found if not PurePosixPath(file).name.startswith((".", "_"))]
        return sorted(map(system.unstrip_protocol, shown))


def names(folder: str, field: str) -> set[str]:
    """Return the names of what stands in a folder, of this machine or a URL; none if it is not."""
    with _reading(folder, field):
        system, path = _opened(folder)
        if not system.exists(path):
            return set()
        system.invalidate_cache()
        return {PurePosixPath(entry).name for entry in system.ls(path, detail=False)}


@contextlib.contextmanager
def opened(place: str, field: str) -> Iterator[BinaryIO]:
    """Open a file of this machine or a URL, for reading here and there in it."""
    with _reading(place, field):
        system, path = _opened(place)
        file = system.open(path, "rb")
    with file:
        yield file


def read_text(place: str, field: str) -> str:
    """Return what stands in a small file, of this machine or a URL."""
    with _reading(place, field):
        system, path = _opened(place)
        return system.cat_file(path).decode()


def write_text(place: str, text: str, field: str) -> None:
    """Write a small file on this machine or at a URL, all or nothing."""
    if not is_url(place):
        files.write_text(place, text)
        return
    with written(place, field) as copy:
        copy.write_text(text, encoding="utf-8")


def remove(folder: str, field: str) -> None:
    """Remove a folder with all it holds, of this machine or a URL, if it is there."""
    with _reading(folder, field, "removed"):
        system, path = _opened(folder)
        if system.exists(path):
            system.rm(path, recursive=True)


def _opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path there."""
    import fsspec

    return fsspec.url_to_fs(url)


@contextlib.contextmanager
def _reading(url: str, field: str, done: str = "read") -> Iterator[None]:
    """Let every failure end in one line: what may go wrong differs from one library to the next."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise InputError(f"cannot be {done} ({reason})", file=url, field=field) from error


def _copy(system: Any, path: str, root: Path, field: str) -> Path:
    place = _place(system, path, root, field)
    if not system.isdir(path):
        _copy_file(system, path, place, root)
        return place
    wanted = {_place(system, file, root, field): file for file in system.find(path)}
    for own in place.rglob("*") if place.is_dir() else ():
        if own.is_file() and own not in wanted:
            own.unlink()  # it has gone there
    for own, file in wanted.items():
        _copy_file(system, file, own, root)
    place.mkdir(parents=True, exist_ok=True)
    return place


def _place(system: Any, path: str, root: Path, field: str) -> Path:
    """Return where the copy of a file stands, by its protocol and path."""
    protocol = system.protocol if isinstance(system.protocol, str) else system.protocol[0]
    parts = PurePosixPath(re.sub(r"^\w+://", "", path)).parts
    if ".." in parts:
        raise InputError(f"must be a path without `..`. Received: {shown(path)}", field=field)
    return root.joinpath(protocol, *(part for part in parts if part != "/"))


def _copy_file(system: Any, path: str, place: Path, root: Path) -> None:
    """Copy a file unless the one that stands there is the same."""
    found = system.info(path)
    mark = json.dumps({name: str(found[name]) for name in _MARKS if name in found})
    marks = root / "marks" / place.relative_to(root)
    marks = marks.with_name(f"{marks.name}.json")
    if place.is_file() and marks.is_file() and marks.read_text(encoding="utf-8") == mark:
        return
    with files.staged(place) as temporary:
        system.get_file(path, str(temporary))
    files.write_text(marks, mark)
