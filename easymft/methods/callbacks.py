"""Keras callbacks of every training: stopping when asked to, and showing how far it is."""

from typing import Any

import keras

from easymft import preemption
from easymft.devices.distribution import Distribution

# Batches after which workers ask each other whether one of them was asked to stop.
AGREEMENT_STEPS = 5


class StopWhenAsked(keras.callbacks.Callback):
    """Ends `fit` and `evaluate` early when SIGTERM has come, on all workers after the same batch.

    Args:
        distribution: Whose workers.
        parts: Batches that make up a training step, which is never left unfinished.

    Attributes:
        agreed: Whether that is so.
    """

    def __init__(self, distribution: Distribution, parts: int = 1):
        super().__init__()
        self.distribution = distribution
        self._every = parts * (1 if distribution.workers == 1 else AGREEMENT_STEPS)
        self.agreed = False

    def ask(self) -> bool:
        """Return whether any worker was asked to stop; all workers ask together."""
        self.agreed = self.agreed or self.distribution.any_worker(preemption.requested())
        return self.agreed

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.model.stop_training = self._ask_after(batch)

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.model.stop_evaluating = self._ask_after(batch)

    def _ask_after(self, batch: int) -> bool:
        return self.ask() if (batch + 1) % self._every == 0 else self.agreed


class ShowProgress(keras.callbacks.Callback):
    """Moves a progress bar by every training step.

    Args:
        bar: The bar, counting steps.
        parts: Batches that make up a step.
    """

    def __init__(self, bar: Any, parts: int = 1):
        super().__init__()
        self.bar, self.parts = bar, parts

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.bar.update((batch + 1) % self.parts == 0)
        if logs:
            self.bar.set_postfix(loss=f"{float(logs['loss']):.3f}", refresh=False)
