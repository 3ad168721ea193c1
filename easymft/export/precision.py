"""The numbers that an exported model is stored in, and computes with."""

from typing import Literal

from easymft.models import TextClassifier

Precision = Literal["auto", "float32", "bfloat16"]


def in_precision(model: TextClassifier, precision: Precision) -> TextClassifier:
    """Return the model with its encoder in a precision, or the model itself where it is.

    Heads stay float32. A model of mixed_bfloat16 holds float32 weights, which it casts whenever it
    is asked: for a short text that is most of the work. In bfloat16 it answers the same, since its
    weights are rounded once as they were each time, and is half as large.

    Args:
        model: A trained model.
        precision: `"auto"`: bfloat16 where the model computes in that, else as it is.
    """
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
