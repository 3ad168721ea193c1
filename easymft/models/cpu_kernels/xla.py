"""Functions of tensors as one kernel each."""

import functools
from collections.abc import Callable
from typing import Any


@functools.cache  # one a function, so that all layers share what is compiled for a shape
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function compiled by XLA for each shape that it meets."""
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)
