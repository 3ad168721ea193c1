"""Activations whose value and gradient are one pass over memory each."""

import functools
from collections.abc import Callable
from typing import Any

from easymft.models.cpu_kernels.xla import compiled


@functools.cache
def fused(function: Callable[[Any], Any]) -> Any:
    """Return an elementwise function that is computed in float32 by one kernel each way."""
    import tensorflow as tf

    def value(x: Any) -> Any:
        return tf.cast(function(tf.cast(x, tf.float32)), x.dtype)

    def gradient(x: Any, upstream: Any) -> Any:
        x32 = tf.cast(x, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x32)
            y = function(x32)
        return tf.cast(tape.gradient(y, x32, tf.cast(upstream, tf.float32)), x.dtype)

    @tf.custom_gradient
    def with_gradient(x: Any) -> tuple[Any, Callable[[Any], Any]]:
        return compiled(value)(x), lambda upstream: compiled(gradient)(x, upstream)

    @functools.wraps(function)  # a saved configuration names the function
    def computed(x: Any) -> Any:
        return with_gradient(x)

    marked: Any = computed
    marked.of_keras = function
    return marked


def is_fused(activation: Any) -> bool:
    """Return whether an activation is one of ours."""
    return hasattr(activation, "of_keras")
