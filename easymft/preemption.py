"""Being asked to stop by SIGTERM, as Kubernetes, Slurm and cloud machines ask: save, and say so.

The signal only sets a flag: an exception raised by a handler is lost wherever Python cannot let it
through, as in the callback of a weak reference. Whatever takes long looks at the flag by `check`;
every progress bar does. What cannot, such as another library's download, is ended where it stands
after `GRACE_SECONDS`: files are written whole or not at all, so nothing is lost.
"""

import atexit
import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: try again
GRACE_SECONDS = 10.0


class Stopped(SystemExit):
    """The program was asked to stop; the same command goes on."""

    def __init__(self):
        super().__init__(EXIT_CODE)


class _State:
    """What this process was asked, and whether it may end now."""

    listening = asked = deferred = False


_state = _State()


def listen() -> None:
    """From now on take note of SIGTERM."""
    _state.listening = True
    signal.signal(signal.SIGTERM, _take_note)


def listen_again() -> None:
    """Listen, if `listen` was called, after what takes the signal for itself."""
    if _state.listening:
        listen()


def requested() -> bool:
    """Return whether SIGTERM has come."""
    return _state.asked


def check() -> None:
    """Raise `Stopped` if SIGTERM has come, unless `deferred`."""
    if requested() and not _state.deferred:
        raise Stopped


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """While the block runs, which is to look at `requested` now and then, only it ends itself."""
    before, _state.deferred = _state.deferred, True
    try:
        yield
    finally:
        _state.deferred = before


def _take_note(number: int, frame: FrameType | None) -> None:
    if not _state.asked:
        _state.asked = True
        signal.signal(signal.SIGALRM, _end)
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS, 1.0)
        # Python gives up its handlers as it ends, and the alarm would be the exit code.
        atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)


def _end(number: int, frame: FrameType | None) -> None:
    """End the process here and now, unless what runs will do so itself."""
    if not _state.deferred:
        os.write(2, b"easymft: asked to stop; ended in the middle of something long\n")
        os._exit(EXIT_CODE)
