"""LoRA: small factors learn beside an encoder's attention, which itself stays as it was.

Reference: Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from easymft.errors import InputError
from easymft.models.sublayers import all_layers
from easymft.models.text_classifier import TextClassifier

_FACTORS = ("lora_kernel_a", "lora_kernel_b")


def enable_lora(model: TextClassifier, rank: int) -> None:
    """Put factors beside the encoder's query and value kernels, and freeze all else of it.

    The biases of these projections and the class head go on learning. Compile afterwards.

    Args:
        model: The model, changed in place.
        rank: Inner size of the factors.

    Raises:
        InputError: keras-hub has no LoRA for this encoder.
    """
    model.backbone.enable_lora(rank)
    if not _lora_layers(model):
        raise InputError(
            f"keras-hub has no LoRA for {type(model.backbone).__name__}; leave it out",
            field="fine_tune.lora_rank",
        )


def merged_weights(model: keras.Model) -> list[np.ndarray]:
    """Return what `get_weights` of the same model without LoRA gives, the factors in its kernels.

    Of a model without LoRA, its weights as they are.
    """
    merged = {id(_kernel(layer)): layer.kernel for layer in _lora_layers(model)}
    weights = [w for w in model.weights if w.name not in _FACTORS]
    return [ops.convert_to_numpy(merged.get(id(w), w)) for w in weights]


def lora_state(model: keras.Model) -> dict[str, np.ndarray]:
    """Return kernels and factors by name, none without LoRA: what Keras' `save_weights` merges."""
    return {name: ops.convert_to_numpy(value) for name, value in _variables(model).items()}


def set_lora_state(model: keras.Model, state: dict[str, np.ndarray]) -> None:
    """Set what `lora_state` gave; after Keras' `load_weights`, which zeroes the factors."""
    for name, variable in _variables(model).items():
        variable.assign(state[name])


def _variables(model: keras.Model) -> dict[str, Any]:
    return {
        f"{index}-{variable.name}": variable
        for index, layer in enumerate(_lora_layers(model))
        for variable in (_kernel(layer), layer.lora_kernel_a, layer.lora_kernel_b)
    }


def _kernel(layer: keras.layers.Layer) -> keras.Variable:
    """Return a layer's own kernel; `layer.kernel` has the factors in it."""
    (kernel,) = (v for v in layer.variables if v.name == "kernel")
    return kernel


def _lora_layers(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in all_layers(model) if getattr(layer, "lora_enabled", False)]
