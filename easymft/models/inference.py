"""One pass of a model over texts, with a progress bar; results come in the texts' order."""

import contextlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from easymft import preemption
from easymft.data.batches.batches import Batches, bucket_lengths
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.devices.distribution import Distribution
from easymft.devices.freed_memory import KeepFreedMemory
from easymft.devices.machine import jit_compile
from easymft.models.cpu_kernels import use_cpu_kernels
from easymft.progress import progress_bar


def predict(
    model: keras.Model,
    name: str,
    tokens: TokenizedTexts,
    rows: np.ndarray,
    batch_size: int = 64,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = 0,
) -> Any:
    """Return outputs of `model` for the given rows, in their order.

    In the scope of a tf.distribute strategy each replica does its part of every batch, and every
    worker gets the outputs of all.

    Args:
        model: Any model of the inputs that `Batches` gives.
        name: What the progress bar calls this pass.
        tokens: The tokenized corpus.
        rows: int array `(n,)`, rows of `tokens`.
        batch_size: Texts at a time.
        callbacks: Of Keras, besides our own.
        verbose: Of Keras' `predict`, whose bar is another.

    Returns:
        Arrays `(n, ...)`, nested as the model's outputs are.
    """
    batches = Batches(tokens, rows, batch_size, buckets=bucket_lengths(bool(jit_compile())))
    if not model.compiled:
        use_cpu_kernels(model)
        if not jit_compile():
            # The choice of some releases of Keras on CPUs: every shape compiled with XLA.
            model.jit_compile = False
    # Other workers would wait for one that stops.
    alone = Distribution.current().workers == 1
    with (
        contextlib.nullcontext() if alone else preemption.deferred(),
        progress_bar(name, len(rows), unit="text") as bar,
    ):
        own = [KeepFreedMemory(), _Progress(bar, batch_size)]
        feed, steps = batches.to_keras(), len(batches)
        outputs = model.predict(feed, verbose=verbose, steps=steps, callbacks=[*callbacks, *own])
    return batches.in_input_order(outputs, Distribution.current().replicas)


class _Progress(keras.callbacks.Callback):
    def __init__(self, bar: Any, batch_size: int):
        super().__init__()
        self.bar, self.batch_size = bar, batch_size

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.bar.update(min(self.batch_size, self.bar.total - self.bar.n))
        # Not where other workers would wait for this one.
        if preemption.requested() and Distribution.current().workers == 1:
            raise preemption.Stopped
