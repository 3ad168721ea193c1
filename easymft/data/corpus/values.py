"""One value for each text, in whatever container a user has them."""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import numpy as np

from easymft.errors import InputError

ONE_HOT = "; of one-hot rows give their argmax(axis=1)"


def flat_values(name: str, values: object, hint: str = "") -> list[object]:
    """Return one column of the user's as a list; its values stay what they are.

    Args:
        name: What errors call the column.
        values: A list, tuple, array, series, Arrow column or iterator; a table of one column
            counts as flat.
        hint: Is added to the error where there are several columns.

    Raises:
        InputError: It is one text, has no order, or has several columns.
    """
    fault = "must be a list, one value for each text. Received: a"
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        raise InputError(f"{fault} {type(values).__name__}", field=name)
    table = as_objects(values)
    if table.ndim == 1:
        return table.tolist()
    if table.ndim == 2 and table.shape[1] == 1:
        return table[:, 0].tolist()
    raise InputError(f"{fault} {type(values).__name__} of shape {table.shape}{hint}", field=name)


def as_objects(values: Any) -> np.ndarray:
    """Return values, or rows of values, as an array of Python objects.

    Numbers keep their own precision: numpy's `float32` of a tenth is named "0.1", and the Python
    number that numpy would make of it is not.
    """
    if hasattr(values, "to_pylist"):  # Arrow's columns, whose values are objects of its own
        values = values.to_pylist()
    elif hasattr(values, "dtype") and np.ndim(values) == 1:
        # pandas gives numbers of numpy's types as Python's.
        by_numpy = isinstance(values.dtype, np.dtype) and not isinstance(values, np.ndarray)
        values = list(np.asarray(values) if by_numpy else values)
    elif isinstance(values, Iterator):
        values = list(values)
    return np.asarray(values, dtype=object)


def column_names(values: object) -> list[Any]:
    """Return the names of what has named columns; none where they are only numbered.

    Raises:
        InputError: It is a lazy frame, which was not read yet.
    """
    if hasattr(values, "collect"):  # of polars, or of Spark
        message = f"must be read already; give what `collect()` of the {type(values).__name__} has"
        raise InputError(message)
    if isinstance(values, Mapping):
        return list(values)
    fields = getattr(getattr(values, "dtype", None), "names", None)
    found = fields or getattr(values, "column_names", getattr(values, "columns", ()))
    names = list(found) if isinstance(found, Iterable) else []
    return [] if all(isinstance(name, int | np.integer) for name in names) else names
