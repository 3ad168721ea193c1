"""Keeps the C library from handing memory back to the kernel between the ops of a step.

A step on a CPU allocates and frees gigabytes; mapping and clearing these anew took 44 % of the
processor time of a run on TensorFlow and 19 % on JAX (Linux `perf`, two cores).
"""

import ctypes
import sys
from typing import Any

import keras

# M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, and M_ARENA_MAX: a thread's own arena is too small for blocks
# of many megabytes and is unmapped whole when empty.
_SETTINGS = ((-3, 1 << 30), (-1, (1 << 31) - 1), (-8, 1))


def keep_freed_memory() -> None:
    """Let glibc keep large freed blocks for the next op instead of unmapping them.

    A thread keeps the arena it has, so call this before the first op starts JAX's threads. Does
    nothing where there is no glibc.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    mallopt = getattr(libc, "mallopt", None)
    if mallopt is not None:
        for parameter, value in _SETTINGS:
            mallopt(parameter, value)


class KeepFreedMemory(keras.callbacks.Callback):
    """Calls `keep_freed_memory` before every batch.

    TensorFlow makes settings of its own when its runtime starts, which is after `fit` has begun.
    """

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        keep_freed_memory()

    on_test_batch_begin = on_predict_batch_begin = on_train_batch_begin
