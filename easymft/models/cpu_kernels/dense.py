"""Projections of all positions as one matrix product.

Keras multiplies each text's matrix by the kernel, which is laid out anew for every text, and makes
the kernel's gradient of one for each text, added up afterwards.
"""

import math
from collections.abc import Callable
from typing import Any

import keras

# Those of `MultiHeadAttention`: into heads, and out of them.
_INTO, _OUT = "abc,cde->abde", "abcd,cde->abe"


def is_projection(layer: Any) -> bool:
    """Return whether a layer projects vectors, into or out of heads too, and nothing besides."""
    if type(layer) is keras.layers.EinsumDense and layer.equation not in (_INTO, _OUT):
        return False
    known = type(layer) in (keras.layers.Dense, keras.layers.EinsumDense)
    return known and layer.quantization_mode is None and not layer.lora_enabled


def dense(layer: Any, inputs: Any, training: bool | None = None, activates: bool = True) -> Any:
    """Do what the layer's `call` does.

    Args:
        layer: The layer.
        inputs: `(..., width)`, or `(..., heads, size)`.
        training: As in Keras.
        activates: Whether the layer's activation comes last.
    """
    import tensorflow as tf

    x, kernel = tf.convert_to_tensor(inputs), tf.convert_to_tensor(layer.kernel)
    axes = 2 if getattr(layer, "equation", None) == _OUT else 1  # of a position's vector
    width, after = math.prod(kernel.shape[:axes]), kernel.shape[axes:]
    shape = tf.concat([tf.shape(x)[:-axes], after], 0)
    rows, kernel = tf.reshape(x, (-1, width)), tf.reshape(kernel, (width, -1))
    if layer.bias is None:
        y = tf.reshape(tf.matmul(rows, kernel), shape)
    else:
        project = _project if training else _projected
        y = project(rows, kernel, tf.convert_to_tensor(layer.bias), shape)
    y = tf.ensure_shape(y, (*x.shape[:-axes], *after))
    return layer.activation(y) if activates and layer.activation is not None else y


def _projected(rows: Any, kernel: Any, bias: Any, shape: Any) -> Any:
    """Return `rows @ kernel` in `shape`, plus the bias."""
    import tensorflow as tf

    # In this order: TensorFlow would make product and sum one op, which is slower.
    return tf.reshape(tf.matmul(rows, kernel), shape) + bias


def _project(rows: Any, kernel: Any, bias: Any, shape: Any) -> Any:
    """Do as `_projected`, with a gradient of the bias that is not added up in half precision."""
    import tensorflow as tf

    @tf.custom_gradient
    def project(rows: Any, kernel: Any, bias: Any) -> tuple[Any, Callable[[Any], Any]]:
        def gradient(above: Any) -> tuple[Any, Any, Any]:
            above = tf.reshape(above, (-1, kernel.shape[1]))
            every = tf.ones((1, tf.shape(above)[0]), above.dtype)
            of_rows = tf.matmul(above, kernel, transpose_b=True)
            of_kernel = tf.matmul(rows, above, transpose_a=True)
            return of_rows, of_kernel, tf.reshape(tf.matmul(every, above), bias.shape)

        return _projected(rows, kernel, bias, shape), gradient

    return project(rows, kernel, bias)
