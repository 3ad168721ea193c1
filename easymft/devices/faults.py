"""Errors of TensorFlow and JAX that are no fault of the program, told in one line each."""

import contextlib
import sys
from collections.abc import Iterator

from easymft.errors import WorkerError

_REMOTE = "Collective ops is aborted by: "
_FULL = ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory")  # in words of XLA's errors


class NoRoomError(MemoryError):
    """A device has no memory left for a step; says what was found."""


@contextlib.contextmanager
def no_room_told() -> Iterator[None]:
    """Turn what a step raises where a device, or this machine, has no memory left for it.

    Raises:
        NoRoomError: That is so.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, MemoryError) and not _is_out_of_memory(error):
            raise
        raise NoRoomError(_what_is_full(error)) from error


@contextlib.contextmanager
def told_in_a_line(workers: int) -> Iterator[None]:
    """Turn errors about other workers and about full memory into one line each.

    Args:
        workers: Processes that compute together.

    Raises:
        WorkerError: Another worker ended or cannot be reached.
        MemoryError: A device has no room for a step.
    """
    try:
        yield
    except Exception as error:
        reason = str(error).split(_REMOTE)[-1].split("\n")[0].rstrip(":")
        if isinstance(error, NoRoomError) or _is_out_of_memory(error):
            raise MemoryError(
                f"no memory left for a step ({_what_is_full(error)}); smaller batches, or more "
                "`gradient_accumulation_steps`, need less"
            ) from error
        if workers > 1 and (_is_unavailable(error) or is_remote(error)):
            raise WorkerError(f"another worker ended or cannot be reached ({reason})") from error
        raise


def _what_is_full(error: Exception) -> str:
    """Return the line of an error that says what there is no room for."""
    lines = str(error).splitlines() or [type(error).__name__]
    # TensorFlow says first where in the graph.
    telling = (line for line in lines if "memory" in line.lower() or "OOM" in line)
    return next(telling, lines[0])[:200].strip().rstrip(":")


def _is_out_of_memory(error: Exception) -> bool:
    backend = _backend()
    if backend == "jax":
        return any(words in str(error) for words in _FULL)
    if backend != "tensorflow":
        return False
    import tensorflow as tf

    # XLA's own errors come as internal ones.
    inside = isinstance(error, tf.errors.InternalError) and any(w in str(error) for w in _FULL)
    return inside or isinstance(error, tf.errors.ResourceExhaustedError)


def _is_unavailable(error: Exception) -> bool:
    import tensorflow as tf

    return isinstance(error, tf.errors.UnavailableError)


def is_remote(error: Exception) -> bool:
    """Return whether an error is no fault of this worker, but says that another has ended."""
    if _backend() != "tensorflow":
        return False
    import tensorflow as tf

    return isinstance(error, tf.errors.OpError) and _REMOTE in error.message


def _backend() -> str | None:
    """Return the name of what computes; `None` where nothing was started, which fails otherwise."""
    keras = sys.modules.get("keras")
    return None if keras is None else keras.backend.backend()
