"""Dropout, GELU and word embeddings as TensorFlow computes them fast on a CPU.

TensorFlow does an activation and its gradient in some twenty passes over memory, draws a float
for every number that dropout may drop, and in half precision casts a whole table of embeddings
for the few rows that a batch asks for. Between the matrix products of an encoder, which bfloat16
hardware makes short, that is most of the rest of a step (tests/benchmarks/README.md).
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from easymft.devices import replicas
from easymft.models.sublayers import all_layers

_LEVELS = 1 << 32  # of the numbers that decide what is dropped


def use_cpu_kernels(model: keras.Model) -> None:
    """Let the layers inside `model` compute what this file is about by fused kernels, in place.

    Weights, random states and what is saved stay as they are: a saved model has Keras' own layers.
    GELU is computed in float32 inside. Does nothing where Keras
    runs on another backend than TensorFlow, and with an accelerator or several replicas.

    Args:
        model: Any model; call this before it is traced.
    """
    if keras.backend.backend() != "tensorflow" or not _is_one_cpu():
        return
    for layer in all_layers(model):
        if (call := _call_of(layer)) is not None:
            # On the object, not as a class of its own: a saved configuration names the class.
            layer.call = functools.partial(call, layer)
        activation = getattr(layer, "activation", None)
        name = getattr(activation, "__name__", "")
        if name.startswith("gelu") and not _is_fused(activation):
            layer.activation = _fused(activation)


def use_keras_kernels(model: keras.Model) -> bool:
    """Undo `use_cpu_kernels`; return whether there was something to undo."""
    undone = False
    for layer in all_layers(model):
        if "call" in vars(layer) and getattr(layer.call, "func", None) is _call_of(layer):
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


def _call_of(layer: keras.layers.Layer) -> Callable[..., Any] | None:
    """Return what computes a layer in place of its own `call`; `None` where nothing does."""
    if type(layer) is keras.layers.Dropout:
        return _call_of_dropout
    if isinstance(layer, keras.layers.Embedding) and not layer.mask_zero:
        return _call_of_embedding if layer.compute_dtype != layer.variable_dtype else None
    return None


def _call_of_dropout(layer: keras.layers.Dropout, inputs: Any, training: bool = False) -> Any:
    """Decide by a hash of the number's place in place of a float that is drawn and stored."""
    if not training or not 0 < layer.rate < 1 or layer.noise_shape is not None:
        return type(layer).call(layer, inputs, training=training)
    return _dropped(inputs, layer.rate, layer.seed_generator.next())


def _dropped(inputs: Any, rate: float, seed: Any) -> Any:
    import tensorflow as tf

    kept, threshold = _kept(), min(round(rate * _LEVELS), _LEVELS - 1)

    @tf.custom_gradient
    def drop(x: Any, seed: Any) -> tuple[Any, Callable[[Any], tuple[Any, None]]]:
        # The gradient finds the same places again: they are not kept between.
        return kept(x, seed, threshold), lambda upstream: (kept(upstream, seed, threshold), None)

    return drop(inputs, tf.cast(seed, tf.uint32))


@functools.cache
def _kept() -> Callable[[Any, Any, int], Any]:
    """Return (x, seed, threshold) -> x scaled where the hash of its place reaches it, else 0."""
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def kept(x: Any, seed: Any, threshold: int) -> Any:
        # Either half of the seed changes all that follows.
        key, start = _mixed(seed[0] + np.uint32(1)), _mixed(seed[1] + np.uint32(2))
        places = tf.cast(tf.range(tf.size(x)), tf.uint32)
        bits = _mixed(tf.bitwise.bitwise_xor(places * np.uint32(0x9E3779B9) + start, key))
        scaled = tf.cast(x, tf.float32) * (_LEVELS / (_LEVELS - threshold))
        stays = tf.reshape(bits >= np.uint32(threshold), tf.shape(x))
        return tf.where(stays, tf.cast(scaled, x.dtype), tf.zeros((), x.dtype))

    return kept


def _mixed(bits: Any) -> Any:
    """Return a hash of 32 bits each, of which every bit depends on all (Wellons' lowbias32)."""
    import tensorflow as tf

    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, np.uint32(shift)))
        bits *= np.uint32(factor)
    return tf.bitwise.bitwise_xor(bits, tf.bitwise.right_shift(bits, np.uint32(16)))


def _call_of_embedding(layer: keras.layers.Embedding, inputs: Any, **options: Any) -> Any:
    """Cast the rows that are looked up, not the table: the sums of their gradients are float32."""
    if options.get("reverse"):  # a language model's logits, of the table itself
        return type(layer).call(layer, inputs, **options)
    import tensorflow as tf

    return tf.cast(tf.gather(layer.embeddings._value, inputs), layer.compute_dtype)


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
