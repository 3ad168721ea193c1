"""Dropout and GELU as TensorFlow computes them fast on a CPU; nothing else changes.

TensorFlow does an activation and its gradient in some twenty passes over memory, and draws a
float for every number that dropout may drop. Between the matrix products of an encoder, which
bfloat16 hardware makes short, that is most of a step (tests/benchmarks/README.md).
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras

from easymft.devices import replicas
from easymft.models.sublayers import all_layers

_LEVELS = 1 << 16  # of the random numbers that decide what is dropped


def use_cpu_kernels(model: keras.Model) -> None:
    """Let the layers inside `model` compute dropout and GELU by fused kernels, in place.

    Weights, random states and what is saved stay as they are: a saved model has Keras' own layers.
    Rates are rounded to 1/65536, and GELU is computed in float32 inside. Does nothing where Keras
    runs on another backend than TensorFlow, and with an accelerator or several replicas.

    Args:
        model: Any model; call this before it is traced.
    """
    if keras.backend.backend() != "tensorflow" or not _is_one_cpu():
        return
    for layer in all_layers(model):
        if type(layer) is keras.layers.Dropout:
            # On the object, not as a class of its own: a saved configuration names the class.
            layer.call = functools.partial(_call_of_dropout, layer)
        activation = getattr(layer, "activation", None)
        name = getattr(activation, "__name__", "")
        if name.startswith("gelu") and not _is_fused(activation):
            layer.activation = _fused(activation)


def use_keras_kernels(model: keras.Model) -> bool:
    """Undo `use_cpu_kernels`; return whether there was something to undo."""
    undone = False
    for layer in all_layers(model):
        if "call" in vars(layer) and getattr(layer.call, "func", None) is _call_of_dropout:
            del layer.call
            undone = True
        activation: Any = getattr(layer, "activation", None)
        if _is_fused(activation):
            layer.activation = activation.of_keras
            undone = True
    return undone


@contextlib.contextmanager
def keras_kernels(model: keras.Model) -> Iterator[None]:
    """Let `model` be traced with Keras' own kernels, as for an export: a server may have no XLA."""
    undone = use_keras_kernels(model)
    try:
        yield
    finally:
        if undone:
            use_cpu_kernels(model)


def _is_one_cpu() -> bool:
    import tensorflow as tf

    return not (replicas.in_strategy() or tf.config.list_physical_devices("GPU"))


def _call_of_dropout(layer: keras.layers.Dropout, inputs: Any, training: bool = False) -> Any:
    """Decide by 16 random bits a number instead of a float."""
    if not training or not 0 < layer.rate < 1 or layer.noise_shape is not None:
        return type(layer).call(layer, inputs, training=training)
    return _dropped(inputs, layer.rate, layer.seed_generator.next())


def _dropped(inputs: Any, rate: float, seed: Any) -> Any:
    import tensorflow as tf

    count = tf.size(inputs)
    words = tf.random.stateless_uniform(
        [(count + 1) // 2], tf.cast(seed, tf.int32), minval=None, maxval=None, dtype=tf.uint32
    )
    bits = tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:count]
    kept, threshold = _kept(), min(round(rate * _LEVELS), _LEVELS - 1)

    @tf.custom_gradient
    def drop(x: Any, bits: Any) -> tuple[Any, Callable[[Any], tuple[Any, None]]]:
        return kept(x, bits, threshold), lambda upstream: (kept(upstream, bits, threshold), None)

    return drop(inputs, tf.reshape(bits, tf.shape(inputs)))


@functools.cache
def _kept() -> Callable[[Any, Any, int], Any]:
    """Return (x, bits, threshold) -> x scaled where its bits reach the threshold, else 0."""
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def kept(x: Any, bits: Any, threshold: int) -> Any:
        scaled = tf.cast(x, tf.float32) * (_LEVELS / (_LEVELS - threshold))
        return tf.where(bits >= threshold, tf.cast(scaled, x.dtype), tf.zeros((), x.dtype))

    return kept


@functools.cache  # one object a function, so that all layers share what is compiled for a shape
def _fused(function: Callable[[Any], Any]) -> Any:
    """Return an elementwise function whose value and gradient are one pass each."""
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def value(x: Any) -> Any:
        return tf.cast(function(tf.cast(x, tf.float32)), x.dtype)

    @tf.function(jit_compile=True)
    def gradient(x: Any, upstream: Any) -> Any:
        x32 = tf.cast(x, tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(x32)
            y = function(x32)
        return tf.cast(tape.gradient(y, x32, tf.cast(upstream, tf.float32)), x.dtype)

    @tf.custom_gradient
    def with_gradient(x: Any) -> tuple[Any, Callable[[Any], Any]]:
        return value(x), lambda upstream: gradient(x, upstream)

    @functools.wraps(function)  # a saved configuration names the function
    def fused(x: Any) -> Any:
        return with_gradient(x)

    marked: Any = fused
    marked.of_keras = function
    return marked


def _is_fused(activation: Any) -> bool:
    return hasattr(activation, "of_keras")
