"""The order of texts in a `fit` that goes on where an earlier one was interrupted."""

from typing import Any

import keras

from easymft.data.batches.batches import Batches


class ResumedOrder(keras.callbacks.Callback):
    """Lets the batches of a `fit` begin with those of the epoch that it begins with.

    `BackupAndRestore` chooses that epoch once `fit` has its batches, and before it reads any.

    Args:
        batches: Those of all epochs; passed over are those of epochs that were done before.
        initial_epoch: Of `fit`, the epoch that `batches` begin with.
    """

    def __init__(self, batches: Batches, initial_epoch: int):
        super().__init__()
        self._batches, self._first = batches, initial_epoch
        self._is_placed = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not self._is_placed:
            self._batches.pass_over((epoch - self._first) * self.params["steps"])
            self._is_placed = True
