"""What a Keras user gives to `fit`, `evaluate` and `predict` where it is texts, not token ids."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from easymft.data.corpus.values import ONE_HOT, column_names, flat_values
from easymft.errors import InputError, listed

ROLES = ("text", "text_pair", "domain")
_ENDLESS = -1  # `tf.data.INFINITE_CARDINALITY`


@dataclasses.dataclass(frozen=True)
class RawTexts:
    """Texts with what is known of each.

    Attributes:
        columns: Lists by role: `text`, and where given `text_pair` and `domain`.
        labels: `(texts,)` names or codes of classes; `None` where none are given.
        weights: `(texts,)` float32; `None` where none are given.
        batch_size: Of a data set that comes in batches.
    """

    columns: dict[str, list[Any]]
    labels: list[Any] | None = None
    weights: np.ndarray | None = None
    batch_size: int | None = None

    def __len__(self) -> int:
        return len(self.columns["text"])

    @property
    def are_pairs(self) -> bool:
        """Return whether every text has a second one."""
        return "text_pair" in self.columns

    def split(self, share: float) -> tuple["RawTexts", "RawTexts"]:
        """Return all but the last `share` of the texts, and these, as Keras splits arrays."""
        middle = int(len(self) * (1 - share))
        if not 0 < middle < len(self):
            message = f"must leave texts on both sides. Received: {share} of {len(self)} texts"
            raise InputError(message, field="validation_split")
        return self._part(slice(None, middle)), self._part(slice(middle, None))

    def first(self, count: int) -> "RawTexts":
        """Return the first texts."""
        return self._part(slice(count))

    def _part(self, rows: slice) -> "RawTexts":
        return RawTexts(
            {role: values[rows] for role, values in self.columns.items()},
            None if self.labels is None else self.labels[rows],
            None if self.weights is None else self.weights[rows],
            self.batch_size,
        )


def is_raw(x: Any) -> bool:
    """Return whether `x`, of `fit`, `evaluate` or `predict`, is texts or gives some.

    Token ids come as a dict, alone or from a data set; a generator is never taken for texts, since
    it can be read but once.
    """
    if isinstance(x, Mapping):
        return "token_ids" not in x
    if isinstance(x, keras.utils.PyDataset):
        return not _holds_tokens(x[0])
    if hasattr(x, "element_spec"):  # tf.data, also when it is distributed
        return not _holds_tokens(x.element_spec)
    is_column = hasattr(x, "dtype") or hasattr(x, "to_pylist") or bool(column_names(x))
    return isinstance(x, str | list | tuple) or is_column


def read(x: Any, y: Any = None, sample_weight: Any = None) -> RawTexts:
    """Return texts, out of whatever container.

    Args:
        x: A list, tuple, array or series of texts; columns by name (`text`, and `text_pair` or
            `domain`): a dict, data frame or Arrow table; a tuple of two lists, the texts and their
            pairs; or a `tf.data.Dataset` or `PyDataset` of any of these with `y`, batch by batch.
        y: `(texts,)` names or codes of classes.
        sample_weight: `(texts,)` numbers.

    Raises:
        InputError: It is none of these.
    """
    if isinstance(x, keras.utils.PyDataset) or hasattr(x, "element_spec"):
        if y is not None or sample_weight is not None:
            message = "must come from the data set. Received: an argument of its own"
            raise InputError(message, field="y" if y is not None else "sample_weight")
        return _joined(list(_batches(x)))
    columns = _columns(x)
    labels = None if y is None else _plain("y", y, ONE_HOT)
    weights = None if sample_weight is None else _numbers(_plain("sample_weight", sample_weight))
    for name, values in (("y", labels), ("sample_weight", weights)):
        if values is not None and len(values) != len(columns["text"]):
            raise InputError(
                f"must have one value for each of the {len(columns['text'])} texts. "
                f"Received: {len(values)}",
                field=name,
            )
    return RawTexts(columns, labels, weights)


def _holds_tokens(batch: Any) -> bool:
    x = batch[0] if isinstance(batch, tuple) and batch else batch
    return isinstance(x, Mapping) and "token_ids" in x


def _batches(x: Any) -> Iterator[RawTexts]:
    """Yield a data set's elements, once around."""
    if isinstance(x, keras.utils.PyDataset):
        if x.num_batches is None:
            raise InputError("must have a length. Received: a `PyDataset` without end", field="x")
        elements: Iterator[Any] = (x[index] for index in range(x.num_batches))
    else:
        if int(x.cardinality()) == _ENDLESS:
            message = "must end; leave out `repeat()`, `fit` goes around by its `epochs`"
            raise InputError(f"{message}. Received: a `tf.data.Dataset` without end", field="x")
        elements = x.as_numpy_iterator()
    for element in elements:
        yield read(*keras.utils.unpack_x_y_sample_weight(element))


def _joined(parts: Sequence[RawTexts]) -> RawTexts:
    if not parts:
        raise InputError("must hold at least one text. Received: none", field="x")
    first = parts[0]
    return RawTexts(
        {role: [v for part in parts for v in part.columns[role]] for role in first.columns},
        None if first.labels is None else [v for part in parts for v in part.labels or ()],
        None if first.weights is None else np.concatenate([part.weights for part in parts]),
        len(first) if len(first) > 1 else None,
    )


def _columns(x: Any) -> dict[str, list[Any]]:
    if isinstance(x, tuple) and len(x) == 2 and not isinstance(x[0], str | bytes):
        x = dict(zip(("text", "text_pair"), x, strict=True))
    names = column_names(x)
    if not names:
        return {"text": _plain("x", x)}
    if "text" not in names or (isinstance(x, Mapping) and not set(names) <= set(ROLES)):
        message = f"must have the columns {', '.join(ROLES)}, of which the first is a must"
        raise InputError(f"{message}. Received: {listed(names)}", field="x")
    return {role: _plain(role, x[role]) for role in ROLES if role in names}


def _plain(name: str, values: Any, hint: str = "") -> list[Any]:
    """Return a column as a list, also that of a tensor, and a single value as a list of one."""
    if hasattr(values, "numpy"):
        values = values.numpy()
    if isinstance(values, bytes) or (np.ndim(values) == 0 and hasattr(values, "dtype")):
        values = [values]
    return [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        for value in flat_values(name, values, hint)
    ]


def _numbers(values: list[Any]) -> np.ndarray:
    numbers = np.asarray(values, dtype="float32")
    if not np.isfinite(numbers).all():
        raise InputError("must be finite numbers. Received: others", field="sample_weight")
    return numbers
