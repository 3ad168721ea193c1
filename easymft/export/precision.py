"""The numbers that an exported model is stored in, and computes with."""

from typing import Literal

import keras

from easymft.models import TextClassifier
from easymft.models.adapter_sites import is_open, open_to_adapters
from easymft.models.sublayers import all_layers

Precision = Literal["auto", "float32", "bfloat16", "int8"]


def in_precision(model: TextClassifier, precision: Precision) -> TextClassifier:
    """Return the model with its encoder in a precision, or the model itself where it is.

    Heads stay float32. A model of mixed_bfloat16 holds float32 weights, which it casts whenever it
    is asked: for a short text that is most of the work. In bfloat16 it answers the same, since its
    weights are rounded once as they were each time, and is half as large.

    Args:
        model: A trained model.
        precision: `"auto"`: bfloat16 where the model computes in that, else as it is. `"int8"`:
            Keras' quantization of the weights alone, with a scale for each column of a matrix and
            each row of a table; what passes between layers is float32.
    """
    if precision == "int8":
        return _in_int8(model)
    backbone = model.backbone
    if precision == "auto":
        precision = "bfloat16" if backbone.compute_dtype == "bfloat16" else backbone.variable_dtype
        if precision != "bfloat16":
            return model
    if backbone.compute_dtype == backbone.variable_dtype == precision:
        return model
    config = {**model.get_config(), "preprocessor": None}
    config["backbone"]["config"]["dtype"] = precision
    twin = type(model).from_config(config)
    twin.set_weights(model.get_weights())
    return twin


def _in_int8(model: TextClassifier) -> TextClassifier:
    """Return a copy whose encoder holds its matrices and tables in int8."""
    twin = in_precision(model, "float32")
    if twin is model:
        twin = model.twin()
    # Without a quantizer of activations, which costs accuracy and, on CPUs, time.
    config = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    kinds = (keras.layers.Dense, keras.layers.EinsumDense, keras.layers.Embedding)
    for layer in all_layers(twin.backbone):
        if isinstance(layer, kinds):
            layer.quantize(config=config)
            if is_open(layer):
                open_to_adapters([layer])  # by what it is called now
    return twin
