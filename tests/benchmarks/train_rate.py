"""An epoch as a run trains it, beside its arithmetic alone: as many matrix products' operations."""

import functools

import numpy as np

from tests.benchmarks import train_easymft
from tests.benchmarks.worker import Times, serve, timed

# The encoder's own largest product: rows of a batch, hidden width, inner width.
_PRODUCT = (2048, 384, 1536)


def prepare(settings):
    epoch = train_easymft.prepare({**settings, "name": "easymft"})
    import tensorflow as tf

    from easymft.devices.machine import precision_policy

    dtype = precision_policy(settings["precision"]).removeprefix("mixed_")
    rows, inner, columns = _PRODUCT
    left = tf.cast(tf.random.normal([rows, inner]), dtype)
    right = tf.cast(tf.random.normal([inner, columns]), dtype)
    product = tf.function(tf.matmul)
    times = max(1, round(operations(settings) / (2 * rows * inner * columns)))

    def products() -> None:
        for _ in range(times):
            last = product(left, right)
        last.numpy()

    def one_round() -> Times:
        return epoch() | timed("its matrix products alone", products)

    return one_round


@functools.lru_cache(maxsize=1)
def _encoder(preset: str) -> tuple[int, int, int]:
    """Numbers in the kernels of the transformer's layers, their width, and the layers' number."""
    from easymft.models import load_backbone

    backbone = load_backbone(preset)
    kernels = [w for layer in backbone.transformer_layers for w in layer.trainable_weights]
    numbers = sum(int(np.prod(w.shape)) for w in kernels if w.path.endswith("kernel"))
    return numbers, backbone.hidden_dim, backbone.num_layers


def operations(settings) -> float:
    """Floating-point operations of an epoch's matrix products, padding included.

    Six for each weight of the encoder's kernels and position; and of attention, forward and
    backward, twelve for each number of a hidden vector and pair of positions of a text.
    """
    from easymft.data.batches.batches import FINE_BUCKETS, WINDOW

    numbers, width, layers = _encoder(settings["preset"])
    lengths = np.minimum(train_easymft.tokens_of(settings).lengths, settings["length"])
    total, batch = 0.0, settings["batch"]
    buckets = np.array([*(b for b in FINE_BUCKETS if b < settings["length"]), settings["length"]])
    for start in range(0, len(lengths), WINDOW * batch):
        window = np.sort(lengths[start : start + WINDOW * batch])
        for first in range(0, len(window), batch):
            texts = window[first : first + batch]
            padded = int(buckets[np.searchsorted(buckets, texts.max())])
            total += len(texts) * padded * (6 * numbers + 12 * layers * padded * width)
    return total


if __name__ == "__main__":
    serve(prepare)
