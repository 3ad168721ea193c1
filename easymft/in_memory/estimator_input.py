"""What a scikit-learn user gives: `X`, `y` and parameters."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from easymft.errors import InputError

ROLES = ("text", "text_pair", "domain")


def text_columns(X: Any) -> dict[str, list[Any]]:  # noqa: N803 (scikit-learn's name)
    """Lists by role: `text`, and `domain` and `text_pair` where `X` has them.

    Args:
        X: A list of texts; rows of text and domain; or a data frame with columns of those names.

    Raises:
        InputError: It is none of these.
    """
    names = list(getattr(X, "columns", ()))
    if "text" in names:
        return {role: list(X[role]) for role in ROLES if role in names}
    if issparse(X):
        raise InputError("must be texts; sparse data are not supported", field="X")
    table = np.asarray(X, dtype=object)
    if table.ndim == 1:
        return {"text": table.tolist()}
    if table.ndim == 2 and table.shape[1] in (1, 2):
        return dict(zip(("text", "domain"), table.T.tolist(), strict=False))
    raise InputError(
        "must be a list of texts, rows of text and domain, or a data frame with the columns text, "
        f"domain and perhaps text_pair. Received: a {type(X).__name__} of shape {table.shape}",
        field="X",
    )


def class_labels(y: Any) -> np.ndarray:
    """The classes as a flat array of finite values.

    Raises:
        ValueError: `y` is missing, has several columns or holds what is no class.
    """
    if y is None:
        raise InputError("requires y to be passed, but the target y is None", field="y")
    labels = column_or_1d(y, warn=True)
    assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    return labels


def plain_numbers(value: Any) -> Any:
    """The value, or what a dict holds, without numpy's numbers, which parameter searches give."""
    if isinstance(value, Mapping):
        return {key: plain_numbers(inner) for key, inner in value.items()}
    return value.item() if isinstance(value, np.generic) else value
