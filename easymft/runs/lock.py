"""One process at a time in a run folder."""

import contextlib
import datetime
import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from easymft import preemption
from easymft.errors import InputError

TURN_SECONDS = 0.2  # between two looks at a lock that is waited for
SHARED_SECONDS = 60.0  # longest time until a file that one host wrote is seen by another


class BusyError(InputError):
    """Another process holds the lock."""


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Keep other processes out of a run folder while the block runs; yields what it is known by.

    The lock is the kernel's, on a file beside the folder, so that a killed process leaves none.
    Where a file system has no locks, the file's word is taken: what a dead process of this host
    left is ignored.

    Raises:
        BusyError: Another process is at work.
        InputError: The lock cannot be written.
    """
    made = []
    try:
        for parent in reversed(folder.parents):
            if not os.path.exists(parent):
                parent.mkdir(exist_ok=True)
                made.append(parent)
        file = _take(_path(folder))
    except OSError as error:
        _remove_empty(made)
        reason = f"cannot be written ({error.strerror}); choose another `output_dir`"
        raise InputError(reason, file=folder) from None
    token = secrets.randbits(62)
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now(), "token": token}
    try:
        file.truncate(0)
        file.write(json.dumps(holder))
        file.flush()
        yield token
    finally:
        _path(folder).unlink(missing_ok=True)
        file.close()
        # A run that was refused for its data leaves nothing behind.
        _remove_empty(made)


@contextlib.contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Do as `locked` does, but wait for others, who need it for moments."""
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(folder))
                break
            except BusyError:
                preemption.check()
                time.sleep(TURN_SECONDS)
        yield


def check_shared(folder: Path, token: int) -> None:
    """Make sure that this process sees the folder that the holder of the lock works in.

    Args:
        folder: The run folder.
        token: What `locked` gave to the holder, on another host.

    Raises:
        InputError: This is another folder.
    """
    last = time.monotonic() + SHARED_SECONDS
    while _holder(_path(folder)).get("token") != token:
        if time.monotonic() > last:
            raise InputError(
                f"on {socket.gethostname()} this is not the folder of the first worker; "
                "`output_dir` must be in a file system that all workers share",
                file=folder,
            )
        preemption.check()
        time.sleep(0.5)


def _path(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _take(path: Path) -> IO[str]:
    while True:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115 (held by the caller)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(path) from None
        except OSError:  # a file system without locks
            if _may_be_alive(_holder(path)):
                raise _busy(path) from None
        # A holder that ended in between has removed the file that this lock is on.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        file.close()


def _busy(path: Path) -> BusyError:
    holder = {"pid": "?", "host": "?", "since": "?", **_holder(path)}
    return BusyError(
        "another process works on this run: {pid} on {host}, since {since}; wait for it, or stop "
        "it and give the command again".format(**holder),
        file=path,
    )


def _holder(path: Path) -> dict[str, Any]:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _may_be_alive(holder: dict[str, Any]) -> bool:
    if not isinstance(holder.get("pid"), int):
        return False
    if holder.get("host") != socket.gethostname():
        return True
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove_empty(folders: list[Path]) -> None:
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _now() -> str:
    return datetime.datetime.now().isoformat(" ", "seconds")
