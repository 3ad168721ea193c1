"""Layers as TensorFlow computes them fast on a CPU.

TensorFlow does a layer between the matrix products of an encoder, and its gradient, in some twenty
passes over memory; draws a float for every number that dropout may drop; turns attention's scores
round; and in half precision casts a whole table of embeddings for the few rows that a batch asks
for. Where hardware makes the products short, that is most of a step (tests/benchmarks/README.md).
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras

from easymft.devices import replicas
from easymft.models.cpu_kernels.attention import attention
from easymft.models.cpu_kernels.dense import dense, is_projection
from easymft.models.cpu_kernels.dropout import dropout
from easymft.models.cpu_kernels.elementwise import fused, is_fused
from easymft.models.cpu_kernels.embedding import embedding
from easymft.models.cpu_kernels.encoder_layers import encoder_layer, is_encoder_layer
from easymft.models.cpu_kernels.layer_norm import is_usual, layer_norm
from easymft.models.sublayers import all_layers


def use_cpu_kernels(model: keras.Model, xla: bool = True) -> None:
    """Let the layers inside `model` compute what this package is about by its kernels, in place.

    Weights, random states and what is saved stay as they are: a saved model has Keras' own layers.
    Does nothing where Keras runs on another backend than TensorFlow, and with an accelerator or
    several replicas.

    Args:
        model: Any model; call this before it is traced.
        xla: Whether kernels may be compiled by XLA; no, for a graph that a server is to run, which
            may have none: those that are in use go back to Keras'.
    """
    if not xla:
        use_keras_kernels(model)
    if keras.backend.backend() != "tensorflow" or not _is_one_cpu():
        return
    for layer in all_layers(model):
        kernel = _kernel_of(layer)
        if kernel is not None and (xla or not kernel.uses_xla):
            setattr(*kernel.place(layer), functools.partial(kernel.function, layer))
        activation = getattr(layer, "activation", None)
        name = getattr(activation, "__name__", "")
        if xla and name.startswith("gelu") and not is_fused(activation):
            layer.activation = fused(activation)


def use_keras_kernels(model: keras.Model) -> bool:
    """Undo `use_cpu_kernels`; return whether there was something to undo."""
    undone = False
    for layer in all_layers(model):
        kernel = _kernel_of(layer)
        if kernel is not None and kernel.is_used_by(layer):
            delattr(*kernel.place(layer))
            undone = True
        activation: Any = getattr(layer, "activation", None)
        if is_fused(activation):
            layer.activation = activation.of_keras
            undone = True
    return undone


@contextlib.contextmanager
def served_kernels(model: keras.Model) -> Iterator[None]:
    """Let `model` be traced with kernels that any server can run, as for an export."""
    undone = use_keras_kernels(model)
    use_cpu_kernels(model, xla=False)
    try:
        yield
    finally:
        use_keras_kernels(model)
        if undone:
            use_cpu_kernels(model)


def _is_one_cpu() -> bool:
    import tensorflow as tf

    return not (replicas.in_strategy() or tf.config.list_physical_devices("GPU"))


class _Kernel(NamedTuple):
    """What computes in the place of a layer's method, and whether XLA compiles parts of it."""

    method: str
    function: Callable[..., Any]
    uses_xla: bool

    def place(self, layer: keras.layers.Layer) -> tuple[Any, str]:
        """Return what object holds it, by which name.

        The layer does, and not a class of its own, since a saved configuration names the class; or
        what calls the layer's own method and adds to it, see `adapter_sites`.
        """
        around = vars(layer).get(self.method)
        return (around, "own") if hasattr(around, "own") else (layer, self.method)

    def is_used_by(self, layer: keras.layers.Layer) -> bool:
        holder, name = self.place(layer)
        return getattr(vars(holder).get(name), "func", None) is self.function


def _kernel_of(layer: keras.layers.Layer) -> _Kernel | None:
    """Return what can compute in place of a layer, if anything."""
    if type(layer) is keras.layers.Dropout:
        return _Kernel("call", dropout, True)
    if type(layer) is keras.layers.LayerNormalization and is_usual(layer):
        return _Kernel("call", layer_norm, True)
    if type(layer) is keras.layers.MultiHeadAttention:
        return _Kernel("_compute_attention", attention, False)  # but for gradients and dropout
    if is_projection(layer):
        return _Kernel("call", dense, False)
    if is_encoder_layer(layer):
        return _Kernel("call", encoder_layer, True)  # those inside do
    if isinstance(layer, keras.layers.Embedding) and not layer.mask_zero:
        is_cast = layer.compute_dtype != layer.variable_dtype
        return _Kernel("call", embedding, False) if is_cast else None
    return None
