"""Types that layers and models speak of; Keras and its backends share none."""

from typing import Any

Tensor = Any
"""A tensor of the backend, a symbolic one, or an array."""

Shape = tuple[int | None, ...]
"""A static shape; `None` where a size is not known."""

Tensors = dict[str, Tensor]
"""Inputs or outputs of a model by name."""
