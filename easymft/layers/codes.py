"""Codes of classes and domains as batches bring them: shared, not part of the interface."""

from keras import ops

from easymft.layers.types import Tensor


def flat(values: Tensor, name: str) -> Tensor:
    """Drop the second axis of a column: one value of each text must not meet every other text's.

    Args:
        values: `(batch,)` or `(batch, 1)`.
        name: What an error calls them.

    Returns:
        `(batch,)`, of the dtype of `values`.

    Raises:
        ValueError: `values` has another shape.
    """
    values = ops.convert_to_tensor(values)
    shape = tuple(values.shape)
    if len(shape) == 1:
        return values
    if len(shape) == 2 and shape[1] == 1:
        return ops.squeeze(values, axis=1)
    raise ValueError(f"`{name}` must be of shape (batch,) or (batch, 1). Received: shape {shape}")


def codes(values: Tensor, size: int, name: str) -> tuple[Tensor, Tensor]:
    """Read the codes of a batch and tell which of them stand for something.

    Args:
        values: Numbers `(batch,)` or `(batch, 1)`.
        size: How many codes there are, counted from 0.
        name: What an error calls them.

    Returns:
        The codes, int32 `(batch,)`, and where they are integers in `[0, size)`, bool `(batch,)`.

    Raises:
        ValueError: `values` has another shape.
    """
    values = flat(values, name)
    integers = ops.cast(values, "int32")
    # nan, 0.5 and 2**32 become codes too, but not ones that turn back into them.
    same = ops.equal(ops.cast(integers, values.dtype), values)
    return integers, same & (integers >= 0) & (integers < size)


def check_rows(**arrays: Tensor) -> None:
    """Check that every array has a row for each text: one row would be read for all of them.

    Args:
        **arrays: Arrays or tensors by the names that an error calls them.

    Raises:
        ValueError: They are of different lengths, as far as these are known.
    """
    lengths = {name: array.shape[0] for name, array in arrays.items()}
    if len({length for length in lengths.values() if length is not None}) > 1:
        raise ValueError(f"All of `{'`, `'.join(lengths)}` need a row a text. Received: {lengths}")
