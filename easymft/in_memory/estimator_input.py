"""What a scikit-learn user gives: `X` and `y`."""

import dataclasses
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import issparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from easymft.data.corpus.names import looks
from easymft.data.corpus.rows import is_missing, row_faults, to_name
from easymft.data.corpus.schema import UNKNOWN, Corpus
from easymft.data.corpus.values import ONE_HOT, as_objects, column_names, flat_values
from easymft.errors import InputError, Problems, listed, shown

ROLES = ("text", "text_pair", "domain")
UNNAMED = "all"  # the one domain of texts that come without


def text_columns(X: object) -> dict[str, list[object]]:  # noqa: N803 (scikit-learn's name)
    """Return lists by role: `text`, and `domain` and `text_pair` where `X` has them.

    Args:
        X: A list of texts; rows of text and domain; or columns by name, whose case does not
            matter: a data frame, an Arrow table, a structured array, a dict of lists.

    Raises:
        InputError: It is none of these, or no column or several are called text.
    """
    if issparse(X):
        raise InputError("must be texts; sparse data are not supported", field="X")
    if isinstance(X, Iterator):
        X = list(X)  # noqa: N806
    if names := column_names(X):
        return _named_columns(X, names)
    table = as_objects(X)
    if table.ndim == 1:
        return {"text": _alike(table.tolist())}
    if table.ndim == 2 and table.shape[1] in (1, 2):
        return dict(zip(("text", "domain"), table.T.tolist(), strict=False))
    raise InputError(
        "must be a list of texts, rows of text and domain, or a data frame with the columns text, "
        f"domain and perhaps text_pair. Received: a {type(X).__name__} of shape {table.shape}",
        field="X",
    )


def places_with_labels(y: object) -> np.ndarray:
    """Return which texts have a label, bool `(texts,)`.

    The others are marked by -1, as in scikit-learn's semi-supervised estimators, or by None, NaN or
    whatever else stands for nothing, but for an empty text.

    Raises:
        InputError: `y` is missing, or not one value for each text.
    """

    def is_label(value: Any) -> bool:
        if isinstance(value, str):
            return True
        return not (is_missing(value) or (np.isscalar(value) and value == -1))

    return np.array([is_label(value) for value in _values(y)], bool)


def class_labels(y: object, among: np.ndarray | None = None) -> np.ndarray:
    """Return the labels as a flat array of strings, whole numbers or truth values.

    Args:
        y: One value for each text.
        among: bool `(texts,)`, the texts whose labels are asked for; `None`: all.

    Raises:
        ValueError: `y` is missing, has several columns, or holds what is no class; an `InputError`
            that names the place where a single value is at fault.
    """
    values = _values(y)
    if hasattr(y, "dtype"):
        column_or_1d(y, warn=True)  # scikit-learn's own words for a column and complex numbers
    asked = np.arange(len(values)) if among is None else np.flatnonzero(among)
    problems = Problems()
    for row in asked:
        for _, fault in row_faults({"label": values[row]}):
            problems.add(fault, field=f"y[{row}]")
    problems.raise_if_any()
    values = [values[row] for row in asked]
    are_texts = [isinstance(value, str) for value in values]
    if len(set(are_texts)) > 1:
        some = [shown(values[are_texts.index(kind)]) for kind in (True, False)]
        message = f"must be all text or all numbers. Received: {' and '.join(some)}"
        raise InputError(message, field="y")
    own = getattr(y, "dtype", None)
    has_type = isinstance(own, np.dtype) and own.kind != "O"
    labels = np.ravel(np.asarray(y))[asked] if has_type else np.array(values)
    check_classification_targets(labels)
    return labels


def _values(y: object) -> list[Any]:
    if y is None:
        raise InputError("requires y to be passed, but the target y is None", field="y")
    return flat_values("y", y, ONE_HOT)


def with_gaps(labels: np.ndarray, places: np.ndarray) -> list[Any]:
    """Return labels at their places among all texts, None elsewhere.

    Args:
        labels: `(places that are true,)`.
        places: bool `(texts,)`.
    """
    values = np.full(len(places), None, object)
    values[places] = labels.tolist()
    return values.tolist()


def classes_of(labels: np.ndarray) -> np.ndarray:
    """Return the classes, sorted.

    Raises:
        InputError: There is one only, or two have one name.
    """
    classes = np.unique(labels)
    if len(classes) < 2:
        found, count = listed(classes.tolist()), "one class" if len(classes) else "no class"
        message = f"has {count}; a classifier needs two classes or more. Received: {found}"
        raise InputError(message, field="y")
    if len(set(map(to_name, classes.tolist()))) < len(classes):
        raise InputError(
            "holds classes that differ only by white space around them or by how their accents are "
            f"stored; write them alike. Received: {listed(classes.tolist())}",
            field="y",
        )
    return classes


def with_classes(corpus: Corpus, classes: np.ndarray) -> Corpus:
    """Return the corpus with its classes in the order of scikit-learn, which sorts "10" before "9".

    Args:
        corpus: Texts labelled with the names of `classes`, or without a label.
        classes: All classes, sorted.
    """
    names = [str(to_name(value)) for value in classes.tolist()]
    # The last stands for a missing label, whose code -1 picks it.
    codes = np.array([*map(names.index, corpus.labels), UNKNOWN], np.int32)
    column = pa.array(codes[corpus.codes("label")])
    table = corpus.table.set_column(corpus.table.column_names.index("label"), "label", column)
    return dataclasses.replace(corpus, table=table, labels=tuple(names))


def check_known_classes(labels: np.ndarray, classes: np.ndarray) -> None:
    """Raise an `InputError` that names the first of `labels` that is none of `classes`."""
    known = {to_name(value) for value in classes.tolist()}
    for row, value in enumerate(labels.tolist()):
        if to_name(value) not in known:
            message = f"must be a class of `fit`, {listed(classes.tolist())}; `add_class` teaches"
            raise InputError(f"{message} another. Received: {value!r}", field=f"y[{row}]")


def check_of_one_domain(domains: Iterable[object], name: str) -> None:
    """Raise an `InputError` that names the first of `domains` that is another than `name`."""
    for row, value in enumerate(domains):
        if not is_missing(value) and to_name(value) != name:
            message = f"must be of the domain {name!r}. Received: {shown(value)}"
            raise InputError(message, field=f"domains[{row}]")


def warn_of_mistyped(domains: Iterable[str | None], known: Iterable[str]) -> None:
    """Warn of domains that `fit` did not see and that look like one it did.

    Args:
        domains: Names of the domains that are asked.
        known: Those of `fit`.
    """
    by_looks = {looks(name): name for name in known}
    for name in sorted(set(filter(None, domains)).difference(by_looks.values())):
        if (meant := by_looks.get(looks(name))) is not None:
            message = (
                f"X: `fit` had the domain {shown(meant)}; the meta-learner answers for the new"
            )
            warnings.warn(f"{message} {shown(name)}", stacklevel=3)


def _named_columns(X: Any, names: list[object]) -> dict[str, list[object]]:  # noqa: N803
    """Return the columns that are called as a role is; warn of those that may be meant as one."""
    columns, used = {}, []
    for role in ROLES:
        called = _called(role, names)
        if len(called) > 1:
            raise InputError(f"has {len(called)} columns for {role}: {listed(called)}", field="X")
        if called:
            columns[role] = flat_values(f"{role}s", X[called[0]])
            used += called
    if "text" not in columns:
        raise InputError(
            "must have a column called text (and, for domains and pairs, domain and text_pair). "
            f"Received: the columns {listed(names)}",
            field="X",
        )
    # Beside a column of domains others are a user's own: ids, dates, scores.
    unused = [
        name
        for name in names
        if name not in used
        and ("domain" not in columns or _folded(name).startswith(("text", "domain")))
    ]
    if unused:
        message = f"X: columns that are not used: {listed(unused)}; call them {', '.join(ROLES)}"
        warnings.warn(message, stacklevel=4)
    return columns


def _called(role: str, names: list[object]) -> list[object]:
    """Return the names that are a role's, or end with it as `ColumnTransformer` writes them."""
    own = [name for name in names if _folded(name) == role]
    return own or [name for name in names if _folded(name).endswith(f"__{role}")]


def _folded(name: object) -> str:
    return name.strip().casefold() if isinstance(name, str) else ""


def _alike(rows: list[object]) -> list[object]:
    """Return rows, each of which is a text or each a row of as many values.

    Raises:
        InputError: They are not.
    """
    widths = [len(row) if isinstance(row, list | tuple | np.ndarray) else 0 for row in rows]
    for place, width in enumerate(widths):
        if width != widths[0]:
            found = f"{shown(rows[place])} and, as X[0], {shown(rows[0])}"
            message = f"must be like X[0], a text or a row of text and domain. Received: {found}"
            raise InputError(message, field=f"X[{place}]")
    return rows
