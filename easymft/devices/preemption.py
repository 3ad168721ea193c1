"""Asked to stop by SIGTERM, as Kubernetes, Slurm and cloud machines ask: save, and say so."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: try again


class Stopped(SystemExit):
    """The run was asked to stop; the same command goes on."""

    def __init__(self):
        super().__init__(EXIT_CODE)


class _Request:
    def __init__(self):
        self.listening = False
        self.made = False
        self.deferred = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.made = True
        if not self.deferred:
            raise Stopped


_request = _Request()


def listen() -> None:
    """From now on raise `Stopped` in the main thread when SIGTERM comes."""
    _request.listening = True
    signal.signal(signal.SIGTERM, _request)


def listen_again() -> None:
    """Listen, if `listen` was called, after what takes the signal for itself."""
    if _request.listening:
        listen()


def requested() -> bool:
    """Whether SIGTERM has come."""
    return _request.made


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let a request wait while the block runs, which is to look at `requested` now and then."""
    _request.deferred = True
    try:
        yield
    finally:
        _request.deferred = False
    if _request.made:
        raise Stopped
