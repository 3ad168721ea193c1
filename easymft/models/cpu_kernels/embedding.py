"""Word embeddings in half precision without a table in half precision."""

from typing import Any

import keras


def embedding(layer: keras.layers.Embedding, inputs: Any, **options: Any) -> Any:
    """Cast the rows that are looked up, not the table: the sums of their gradients are float32."""
    if options.get("reverse"):  # a language model's logits, of the table itself
        return type(layer).call(layer, inputs, **options)
    import tensorflow as tf

    return tf.cast(tf.gather(layer.embeddings._value, inputs), layer.compute_dtype)
