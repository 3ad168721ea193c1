"""Vector arithmetic that stays finite: shared by the layers, not part of the interface."""

import numpy as np
from keras import ops

from easymft.layers.types import Tensor

# Of batches, float32 tensors.


def shortening(vectors: Tensor, limit: float = 1e31) -> Tensor:
    """Return factors `(..., 1)` at most 1 that bring components to `limit`: sums stay finite."""
    return ops.minimum(limit / ops.maximum(_peak(vectors), 1.0), 1.0)


def scaled(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Return vectors in their own direction whose squares are no overflow, and their norms.

    Divided by their largest component: the square of 1e30 is no float32. Zeros stay zeros, of
    norm 1.

    Returns:
        The vectors and their norms, `(..., 1)`, at least 1.
    """
    peak = _peak(vectors)
    # Up to 5e37 the inverse is a normal number too.
    peak = ops.minimum(ops.where(peak < np.finfo("float32").tiny, 0.0, peak), 5e37)
    vectors = vectors * ops.where(peak > 0, 1.0 / ops.where(peak > 0, peak, 1.0), 0.0)
    norms = ops.sqrt(ops.sum(vectors * vectors, axis=-1, keepdims=True))
    return vectors, ops.maximum(norms, 1.0)


def _peak(vectors: Tensor) -> Tensor:
    """Return the largest component of each vector, without the copy that `abs` would make."""
    highest = ops.max(vectors, axis=-1, keepdims=True)
    return ops.maximum(highest, -ops.min(vectors, axis=-1, keepdims=True))


# Of batches, float32 arrays.


def within_range(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors whose squares stay in float32, and their squared norms.

    Those that would leave it are shortened or lengthened by powers of two, which change no digit.
    Zeros stay zeros.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)
        odd = ~((squares > 1e-20) & (squares < 1e20))
        if odd.any():
            _, exponents = np.frexp(np.abs(vectors[odd]).max(axis=-1, keepdims=True))
            vectors = vectors.copy()
            vectors[odd] = np.ldexp(vectors[odd], -exponents)
            squares = np.einsum("ij,ij->i", vectors, vectors)
    return vectors, squares


# Of a few vectors, float64 arrays, in which no square of a float32 overflows.


def ratio(total: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return `total / number`, and zeros where nothing was counted."""
    return np.divide(total, number, out=np.zeros_like(total), where=number > 0)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors scaled to norm 1; zeros stay zeros."""
    return ratio(vectors, np.linalg.norm(vectors, axis=-1, keepdims=True))


def sum_of_others(values: np.ndarray) -> np.ndarray:
    """Return the sum over axis 0 without the entry itself.

    Those before plus those after: taking the entry from the total would cancel digits.
    """
    sums = np.zeros_like(values)
    sums[1:] += np.cumsum(values[:-1], axis=0)
    sums[:-1] += np.cumsum(values[:0:-1], axis=0)[::-1]
    return sums
