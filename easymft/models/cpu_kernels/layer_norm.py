"""Layer normalization (Ba et al., 2016) in few passes over memory.

XLA adds up a row one number after the other, and TensorFlow's ops take some twenty passes; here
products with a vector of ones add up, and kernels do what is left: two forward and two back.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from easymft.models.cpu_kernels.xla import compiled


def is_usual(layer: keras.layers.LayerNormalization) -> bool:
    """Return whether a layer is over the last axis, with a scale and an offset."""
    usual = layer.scale and layer.center and not layer.rms_scaling
    return usual and layer.axis in (-1, [-1])  # a layer that is built has made a list of it


def layer_norm(layer: keras.layers.LayerNormalization, inputs: Any) -> Any:
    """Do what the layer's `call` does: (x - mean) / sqrt(variance + epsilon) * gamma + beta."""
    import tensorflow as tf

    weights = (tf.cast(weight, tf.float32) for weight in (layer.gamma, layer.beta))
    return _normalize(layer.epsilon)(ops.cast(inputs, layer.compute_dtype), *weights)


@functools.cache
def _normalize(epsilon: float) -> Callable[[Any, Any, Any], Any]:
    """Return a function of x `(..., width)`, gamma and beta, both `(width,)` float32."""
    import tensorflow as tf

    @tf.custom_gradient
    def normalize(x: Any, gamma: Any, beta: Any) -> tuple[Any, Callable[[Any], Any]]:
        shape, width = tf.shape(x), x.shape[-1]
        rows, mean_of = tf.reshape(x, (-1, width)), tf.ones((width, 1)) / width
        mean = tf.matmul(tf.cast(rows, tf.float32), mean_of)
        variance = tf.matmul(compiled(_squares)(rows, mean), mean_of)
        y = compiled(_scaled)(rows, mean, variance, gamma, beta, epsilon)

        def gradient(above: Any) -> tuple[Any, Any, Any]:
            own = rows, tf.reshape(above, (-1, width)), mean, variance
            above32, products = compiled(_products)(*own, epsilon)
            mean_by_gamma = gamma[:, None] / width
            means = tf.matmul(above32, mean_by_gamma), tf.matmul(products, mean_by_gamma)
            of_x = compiled(_gradient)(*own, gamma, *means, epsilon)
            every = tf.ones_like(mean)
            of_gamma = tf.matmul(every, products, transpose_a=True)[0]
            of_beta = tf.matmul(every, above32, transpose_a=True)[0]
            return tf.reshape(of_x, shape), of_gamma, of_beta

        return tf.reshape(y, shape), gradient

    return normalize


def _squares(rows: Any, mean: Any) -> Any:
    return ops.square(ops.cast(rows, "float32") - mean)


def _scaled(rows: Any, mean: Any, variance: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    normal = _normal(rows, mean, variance, epsilon)
    return ops.cast(normal * gamma + beta, rows.dtype)


def _products(rows: Any, above: Any, mean: Any, variance: Any, epsilon: float) -> tuple[Any, Any]:
    above = ops.cast(above, "float32")
    return above, above * _normal(rows, mean, variance, epsilon)


def _gradient(
    rows: Any,
    above: Any,
    mean: Any,
    variance: Any,
    gamma: Any,
    mean_above: Any,
    mean_product: Any,
    epsilon: float,
) -> Any:
    """Return the gradient by `rows`; the means are of `above` and of the products, by gamma."""
    normal = _normal(rows, mean, variance, epsilon)
    inside = ops.cast(above, "float32") * gamma - mean_above - normal * mean_product
    return ops.cast(inside * ops.rsqrt(variance + epsilon), rows.dtype)


def _normal(rows: Any, mean: Any, variance: Any, epsilon: float) -> Any:
    return (ops.cast(rows, "float32") - mean) * ops.rsqrt(variance + epsilon)
