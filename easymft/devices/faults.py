"""Errors of TensorFlow and JAX that are no fault of the program, told in one line each."""

import contextlib
import sys
from collections.abc import Iterator

from easymft.errors import WorkerError

_REMOTE = "Collective ops is aborted by: "


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
        if _is_out_of_memory(error):
            raise MemoryError(
                f"no memory left for a step ({reason[:200]}); smaller batches, or more "
                "`gradient_accumulation_steps`, need less"
            ) from error
        if workers > 1 and (_is_unavailable(error) or is_remote(error)):
            raise WorkerError(f"another worker ended or cannot be reached ({reason})") from error
        raise


def _is_out_of_memory(error: Exception) -> bool:
    if _backend() == "jax":
        return "RESOURCE_EXHAUSTED" in str(error)
    if _backend() != "tensorflow":
        return False
    import tensorflow as tf

    return isinstance(error, tf.errors.ResourceExhaustedError)


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
