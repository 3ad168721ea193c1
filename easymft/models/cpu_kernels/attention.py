"""Attention (Vaswani et al., 2017) without needless passes over its scores.

Keras' einsum turns all scores round after it has made them, and its softmax, mask and dropout pass
over them a dozen times forward and back; scores are the largest numbers of an encoder.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from easymft.models.cpu_kernels.dropout import next_seed, scale_of, stays, threshold_of
from easymft.models.cpu_kernels.xla import compiled


def attention(
    layer: keras.layers.MultiHeadAttention,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any = None,
    training: bool | None = None,
    return_attention_scores: bool = False,
    use_causal_mask: bool = False,
) -> tuple[Any, Any]:
    """Do what the layer's `_compute_attention` does.

    Args:
        layer: The layer.
        query: `(batch, queries, heads, size)`.
        key: `(batch, keys, heads, size)`.
        value: As `key`.
        attention_mask: `(batch, queries or 1, keys)`, what may be looked at.
        training: Whether weights are dropped.
        return_attention_scores: Left to Keras where true.
        use_causal_mask: Left to Keras where true.
    """
    if return_attention_scores or use_causal_mask or len(query.shape) != 4:
        return type(layer)._compute_attention(
            *(layer, query, key, value, attention_mask, training),
            return_attention_scores=return_attention_scores,
            use_causal_mask=use_causal_mask,
        )
    import tensorflow as tf

    query = query * ops.cast(layer._inverse_sqrt_key_dim, query.dtype)
    query, key, value = (tf.transpose(part, (0, 2, 1, 3)) for part in (query, key, value))
    scores = tf.matmul(query, key, transpose_b=True)
    mask = None
    if attention_mask is not None:
        mask = ops.cast(attention_mask, "bool")
        mask = mask[:, None] if len(mask.shape) == 3 else mask
    drops = training and 0 < layer._dropout < 1
    threshold = threshold_of(layer._dropout) if drops else 0
    if training:
        seed = next_seed(layer._dropout_layer) if drops else tf.zeros((2,), tf.uint32)
        weights = _trained_weights(scores, mask, seed, threshold)
    else:
        weights = _weights(scores, mask)
    outputs = tf.matmul(weights, value)
    # Here it costs a pass over less; the same for who may look at nothing.
    if drops:
        outputs *= tf.cast(scale_of(threshold), outputs.dtype)
    if mask is not None:
        outputs *= tf.cast(tf.reduce_any(mask, -1, keepdims=True), outputs.dtype)
    return tf.transpose(outputs, (0, 2, 1, 3)), None


def _weights(scores: Any, mask: Any) -> Any:
    """Return the weights of what may be looked at; of those who may look at nothing any."""
    import tensorflow as tf

    if mask is not None:
        scores = tf.where(mask, scores, tf.cast(scores.dtype.min / 2, scores.dtype))
    return tf.nn.softmax(scores)


def _trained_weights(scores: Any, mask: Any, seed: Any, threshold: int) -> Any:
    """Return the weights, some of them dropped and none scaled; with a gradient in one pass."""
    import tensorflow as tf

    @tf.custom_gradient
    def of_scores(scores: Any) -> tuple[Any, Callable[[Any], Any]]:
        weights = _weights(scores, mask)
        kept = compiled(_kept)(weights, seed, threshold) if threshold else weights
        return kept, lambda above: compiled(_gradient)(weights, above, seed, threshold)

    return of_scores(scores)


def _kept(weights: Any, seed: Any, threshold: int) -> Any:
    return ops.where(stays(weights, seed, threshold), weights, ops.zeros((), weights.dtype))


def _gradient(weights: Any, above: Any, seed: Any, threshold: int) -> Any:
    """Return the gradient by the scores; 0 where they are masked, since their weight is."""
    above = ops.cast(above, "float32")
    if threshold:
        above = ops.where(stays(weights, seed, threshold), above, 0.0)
    products = ops.cast(weights, "float32") * above
    sums = ops.sum(products, axis=-1, keepdims=True)
    return ops.cast(products - ops.cast(weights, "float32") * sums, weights.dtype)
