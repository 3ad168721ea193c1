"""Encoder layers that are alike, traced once for all of them.

A training step of BERT is some ten thousand ops, which TensorFlow makes one by one in Python, layer
by layer and model by model; where texts are few, that takes longer than to learn from them. Here a
layer is a function of its inputs and weights, shared with its gradient by all layers of its kind as
long as the process lives. TensorFlow puts the function's ops back into the graph before it runs, so
that a step computes what it did.
"""

import functools
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import keras
import keras_hub

from easymft.models.adapter_sites import is_open
from easymft.models.sublayers import all_layers, random_states

_functions: dict[str, Any] = {}  # by kind of layer


def is_encoder_layer(layer: Any) -> bool:
    """Return whether a layer is one of BERT's, or of an encoder built like it."""
    return type(layer) is keras_hub.layers.TransformerEncoder and layer.built


def encoder_layer(
    layer: keras.layers.Layer,
    inputs: Any,
    padding_mask: Any = None,
    attention_mask: Any = None,
    training: bool | None = None,
    return_attention_scores: bool = False,
) -> Any:
    """Do what the layer's `call` does; arguments are its own."""
    import tensorflow as tf

    usual = padding_mask is not None and attention_mask is None and not return_attention_scores
    # What domains add inside one layer is not to be added in all.
    alone = not usual or tf.executing_eagerly() or any(map(is_open, all_layers(layer)))
    function = None if alone else _shared(layer, inputs.shape[-1])
    if function is None:
        return type(layer).call(
            *(layer, inputs, padding_mask, attention_mask, training, return_attention_scores)
        )
    # Not `value`, which the policy under way has cast already.
    weights = [tf.convert_to_tensor(variable._value) for variable in layer.variables]
    outputs, drawn = function(inputs, padding_mask, weights, bool(training))
    for state, value in zip(random_states(layer), drawn, strict=True):
        state.assign(value)
    return outputs


def _shared(layer: keras.layers.Layer, width: int) -> Callable[..., tuple[Any, list[Any]]] | None:
    """Return the function of all layers of a kind; `None` where a new one is not of that kind."""
    kind = _kind(layer)
    if kind not in _functions:
        import tensorflow as tf

        # Of a copy, since the layer itself holds on to its whole model.
        copy = _copy(layer, width)
        function = tf.function(functools.partial(_computed, copy), autograph=False)
        # A layer that was changed since it was made, such as a quantized one, has no copy.
        _functions[kind] = function if _kind(copy) == kind else None
    return _functions[kind]


def _kind(layer: keras.layers.Layer) -> str:
    """Return what layers have in common that compute the same of the same weights."""
    configs = [{**one.get_config(), "name": ""} for one in all_layers(layer)]
    return json.dumps([configs, [variable.shape for variable in layer.variables]], default=str)


def _copy(layer: keras.layers.Layer, width: int) -> keras.layers.Layer:
    """Return a layer of the same kind, with weights that mean nothing."""
    import tensorflow as tf

    from easymft.models.cpu_kernels import use_cpu_kernels  # which knows of this module

    drawn = random.getstate()
    with tf.init_scope():  # it is to outlive the graph under way
        copy = type(layer).from_config(layer.get_config())
        copy.build((None, None, width))
    # What other layers draw, and so what is trained, is not to depend on who came first.
    random.setstate(drawn)
    use_cpu_kernels(copy)
    return copy


def _computed(
    layer: keras.layers.Layer, inputs: Any, mask: Any, weights: Sequence[Any], training: bool
) -> tuple[Any, list[Any]]:
    """Return a layer's outputs by the weights given, and what its random states are then."""
    scope = keras.StatelessScope(list(zip(layer.variables, weights, strict=True)))
    with scope:
        outputs = type(layer).call(layer, inputs, mask, training=training)
    return outputs, [scope.get_current_value(state) for state in random_states(layer)]
