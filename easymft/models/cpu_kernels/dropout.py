"""Dropout that decides by a hash of a number's place in place of a float that is drawn and kept."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from easymft.models.cpu_kernels.xla import compiled

_LEVELS = 1 << 32  # of the numbers that decide what is dropped


def dropout(layer: keras.layers.Dropout, inputs: Any, training: bool = False) -> Any:
    """Do what the layer's `call` does."""
    if not training or not 0 < layer.rate < 1 or layer.noise_shape is not None:
        return type(layer).call(layer, inputs, training=training)
    import tensorflow as tf

    threshold, scaled = threshold_of(layer.rate), compiled(_scaled)

    @tf.custom_gradient
    def drop(x: Any, seed: Any) -> tuple[Any, Callable[[Any], tuple[Any, None]]]:
        # The gradient finds the same places again: they are not kept between.
        return scaled(x, seed, threshold), lambda above: (scaled(above, seed, threshold), None)

    return drop(inputs, next_seed(layer))


def threshold_of(rate: float) -> int:
    """Return the hash below which a number is dropped."""
    return min(round(rate * _LEVELS), _LEVELS - 1)


def scale_of(threshold: int) -> float:
    """Return what the numbers that stay are multiplied by, so that sums stay as they were."""
    return _LEVELS / (_LEVELS - threshold)


def next_seed(layer: keras.layers.Dropout) -> Any:
    """Draw a layer's next seed, `(2,)` uint32."""
    import tensorflow as tf

    return tf.cast(layer.seed_generator.next(), tf.uint32)


def stays(x: Any, seed: Any, threshold: int) -> Any:
    """Return whether each number of `x` stays, by the hash of its place; for use in a kernel."""
    import tensorflow as tf

    # Either half of the seed changes all that follows.
    key, start = _mixed(seed[0] + np.uint32(1)), _mixed(seed[1] + np.uint32(2))
    places = tf.cast(tf.range(tf.size(x)), tf.uint32)
    bits = _mixed(tf.bitwise.bitwise_xor(places * np.uint32(0x9E3779B9) + start, key))
    return tf.reshape(bits >= np.uint32(threshold), tf.shape(x))


def _scaled(x: Any, seed: Any, threshold: int) -> Any:
    import tensorflow as tf

    larger = tf.cast(tf.cast(x, tf.float32) * scale_of(threshold), x.dtype)
    return tf.where(stays(x, seed, threshold), larger, tf.zeros((), x.dtype))


def _mixed(bits: Any) -> Any:
    """Return a hash of 32 bits each, of which every bit depends on all (Wellons' lowbias32)."""
    import tensorflow as tf

    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, np.uint32(shift)))
        bits *= np.uint32(factor)
    return tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, np.uint32(16)))
