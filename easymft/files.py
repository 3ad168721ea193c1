"""Atomic writes: what stands under a final name is complete, whenever the program was killed."""

import contextlib
import contextvars
import ctypes
import errno
import fcntl
import json
import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from easymft.errors import InputError

if TYPE_CHECKING:
    import pyarrow


TEMPORARY = ".tmp-"  # how the names of unfinished files and folders begin

_redirection: contextvars.ContextVar[tuple[Path, Path] | None] = contextvars.ContextVar(
    "redirection", default=None
)


@contextlib.contextmanager
def staged(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    The block creates a file or a folder under the temporary path, whose suffix is that of `path`.
    What stood at `path` before is replaced in one step once the new file or folder is complete
    and on disk. When the block raises, nothing is left behind and `path` is untouched.

    Raises:
        OSError: With `ENOSPC`, whatever the block raised, if the disk is full.
    """
    path = place(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: writers such as Keras choose the format by it.
    temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield temporary
        _flush(temporary)
        try:
            os.replace(temporary, path)
        except OSError:
            if not (temporary.exists() and path.exists()):
                raise
            # A rename does not replace folders. What stood there goes by its temporary name below.
            _exchange(temporary, path)
    except Exception as error:
        # Libraries that write files say it in words and errors of their own.
        if _is_full(path.parent, error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        remove(temporary)


@contextlib.contextmanager
def without_leftovers(folder: str | os.PathLike, pattern: str) -> Iterator[None]:
    """Remove what killed writers left in `folder`, and write there while the block runs.

    Nothing is removed where another process, or thread, is in such a block of the same folder: it
    may be writing what would look left behind. The kernel ends a killed one's claim.

    Args:
        folder: An existing folder.
        pattern: Glob of the names to remove, below `folder`.
    """
    folder = place(folder)
    claim = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # someone is at work, or the file system has no locks
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for leftover in folder.glob(pattern):
                remove(leftover)
        with contextlib.suppress(OSError):
            fcntl.flock(claim, fcntl.LOCK_SH)
        yield
    finally:
        os.close(claim)


@contextlib.contextmanager
def redirected(folder: Path, elsewhere: Path) -> Iterator[None]:
    """While the block runs, write and remove below `elsewhere` what belongs below `folder`.

    For a worker of a distributed run, which does what the chief does and leaves nothing.
    """
    token = _redirection.set((folder, elsewhere))
    try:
        yield
    finally:
        _redirection.reset(token)


def place(path: str | os.PathLike) -> Path:
    """Where this process writes what belongs at `path`; see `redirected`."""
    path, redirection = Path(path), _redirection.get()
    if redirection is None or not path.is_relative_to(redirection[0]):
        return path
    return redirection[1] / path.relative_to(redirection[0])


def _exchange(one: Path, other: Path) -> None:
    """Let two files or folders of one parent swap their names.

    One step on Linux with a local file system, so `other` exists at every moment. Elsewhere
    three: a kill between them leaves `other` missing (never half written), which a resumed run
    sees as a stage not yet done.
    """
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if rename and rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0:
        return
    aside = one.with_name(f"{one.name}-old")
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
    aside.rename(one)


def obstacle(path: str | os.PathLike) -> str | None:
    """Return what keeps this user from writing below `path`, or from making it; `None`: nothing."""
    existing = os.fspath(path)
    # Not `Path.exists`, which raises an error of its own where a name is too long.
    while not os.path.exists(existing):
        existing = os.path.dirname(existing) or os.curdir
    if os.path.isdir(existing) and os.access(existing, os.W_OK | os.X_OK):
        return None
    return f"{existing} is no folder that this user may write in"


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` as UTF-8, all or nothing."""
    with staged(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write `value` as indented JSON (no NaN), all or nothing."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_parquet(
    path: str | os.PathLike, table: "pyarrow.Table", compression: str = "snappy"
) -> None:
    """Write an Arrow table, all or nothing."""
    import pyarrow.parquet as pq

    with staged(path) as temporary:
        pq.write_table(table, temporary, compression=compression)


def read_parquet(path: str | os.PathLike, **options: Any) -> "pyarrow.Table":
    """Read a Parquet file that this program wrote; `options` are those of `pq.read_table`.

    Raises:
        InputError: It is no longer what was written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, **options)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"is damaged: no whole Parquet file ({reason})", file=path) from None


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file that this program wrote.

    Raises:
        InputError: It is no longer what was written.
        OSError: It cannot be opened.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"is damaged: no whole JSON file ({reason})", file=path) from None


def remove(path: Path) -> None:
    """Remove a file or a folder with all it holds, if it is there."""
    path = place(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def slug(name: str) -> str:
    """`name` as a part of a file name: only letters, digits, `.`, `_`, `-`; at most 60 of them."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "unnamed"


def _is_full(folder: Path, error: Exception) -> bool:
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return True
    return os.path.isdir(folder) and shutil.disk_usage(folder).free < 1 << 16


def _flush(path: Path) -> None:
    """Force a file's (or a folder's files') bytes to disk before the rename makes them visible."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    for file in files:
        with open(file, "rb") as handle:
            os.fsync(handle.fileno())
