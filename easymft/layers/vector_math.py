"""Vector arithmetic that stays finite: shared by the layers, not part of the interface."""

import numpy as np
from keras import ops


def ratio(total, number):
    """`total / number`, and zeros where nothing was counted."""
    return ops.where(number > 0, total / ops.where(number > 0, number, 1.0), 0.0)


def bounded(vectors, limit=1e31):
    """Vectors with a component beyond `limit`, shortened to it: sums of them stay finite."""
    peak = ops.max(ops.abs(vectors), axis=-1, keepdims=True)
    return vectors * ops.minimum(limit / ops.maximum(peak, 1.0), 1.0)


def unit(vectors):
    """Vectors scaled to norm 1; zeros stay zeros.

    Divided by their largest component first: the square of 1e30 is no float32.
    """
    peak = ops.max(ops.abs(vectors), axis=-1, keepdims=True)
    scaled = ratio(vectors, ops.where(peak < np.finfo("float32").tiny, 0.0, peak))
    return scaled / ops.maximum(ops.sqrt(ops.sum(scaled * scaled, axis=-1, keepdims=True)), 1.0)


def sum_of_others(values):
    """Sum over axis 0 without the entry itself.

    Those before plus those after: taking the entry from the total would cancel digits.
    """
    none = ops.zeros_like(values[:1])
    before = ops.concatenate([none, ops.cumsum(values[:-1], axis=0)], axis=0)
    after = ops.concatenate([none, ops.cumsum(ops.flip(values[1:], axis=0), axis=0)], axis=0)
    return before + ops.flip(after, axis=0)
