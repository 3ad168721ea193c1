"""Keeps the C library from handing memory back to the kernel between the ops of a step."""

import ctypes
import sys
from typing import Any

import keras

# M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, and M_ARENA_MAX: a thread's own arena is too small for blocks
# of many megabytes and is unmapped whole when empty.
_SETTINGS = ((-3, 1 << 30), (-1, (1 << 31) - 1), (-8, 1))


class KeepFreedMemory(keras.callbacks.Callback):
    """Lets glibc keep large freed blocks for the next op instead of unmapping them.

    A step on a CPU allocates and frees gigabytes; mapping and clearing these anew took 44 % of the
    processor time of a run (Linux `perf`, two cores). Set before every batch, because TensorFlow
    makes settings of its own when its runtime starts. Does nothing where there is no glibc.
    """

    def __init__(self):
        super().__init__()
        libc = ctypes.CDLL(None) if sys.platform == "linux" else None
        self._mallopt = getattr(libc, "mallopt", None)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._mallopt is not None:
            for parameter, value in _SETTINGS:
                self._mallopt(parameter, value)

    on_test_batch_begin = on_predict_batch_begin = on_train_batch_begin
