"""A data set of the Hugging Face hub, or a folder made by its `save_to_disk`, as a corpus."""

import importlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from easymft.config import Columns
from easymft.data.corpus.intake import Intake, OnBadRow
from easymft.data.corpus.rows import SPLIT_NAMES
from easymft.data.corpus.schema import Corpus
from easymft.data.files.parquet_rows import cells, holds
from easymft.errors import InputError, did_you_mean, listed

if TYPE_CHECKING:
    import datasets

HF_PREFIX = "hf:"
BATCH_ROWS = 2_048
# What `save_to_disk` leaves of a `Dataset`, and of a `DatasetDict`.
_MARKERS = ("state.json", "dataset_dict.json")


def read_hugging_face(name: str, columns: Columns, on_bad_row: OnBadRow = "error") -> Corpus:
    """Load a data set by the `datasets` library, from the hub, its cache, or a folder.

    Args:
        name: `OWNER/NAME`, `OWNER/NAME:CONFIG`, or the path of a folder that `save_to_disk` made.
        columns: Names of the features that hold text, label, domain and so on; a feature inside
            another goes by its path, `review.body`. Classes go by their names.
        on_bad_row: See `easymft.data.corpus.intake.Intake`.

    Returns:
        The corpus. Its split is the data set's: train, validation and test; other splits are left
        out and noted. A data set with one split is not split.

    Raises:
        InputError: No such data set or feature, or `datasets` is not installed.
        InputErrors: Rows that cannot be used, by split and position from 1.
    """
    intake, notes = Intake(on_bad_row, columns.by_role()), []
    splits = open_splits(name)
    given = {split: SPLIT_NAMES.get(split) for split in splits}
    # A lone train split is the hub's way to say that the corpus is not split.
    several = len([split for split in given.values() if split]) > 1
    for split, data in splits.items():
        if len(splits) > 1 and given[split] is None:
            notes.append(f"split {split!r} of the data set left out")
            continue
        kept = given[split] if several else None
        place = f"{HF_PREFIX}{name}/{split}"
        for line, row in enumerate(rows(data, columns.by_role(kept), name), 1):
            intake.add(row, id=f"{split}/{line - 1}", file=place, line=line, split=kept)
    return intake.finish(name=_short(name), origin=f"Hugging Face, {name}", notes=notes)


def open_splits(name: str) -> "dict[str, datasets.Dataset]":
    """Return the splits of a data set, with features inside others by their path.

    Args:
        name: See `read_hugging_face`.

    Raises:
        InputError: There is no such data set, or the library is not installed.
    """
    try:
        library = importlib.import_module("datasets")
    except ImportError:
        message = 'the package `datasets` is not installed; pip install "easymft[hf]"'
        raise InputError(message, field="data.source") from None
    folder = Path(os.path.expanduser(name))
    if folder.is_dir() and not any((folder / marker).is_file() for marker in _MARKERS):
        raise InputError(
            "was not made by `save_to_disk`; name its files with source `files`", file=folder
        )
    # Whatever stops it (network, access, damaged files) ends in one line.
    try:
        if folder.is_dir():
            data = library.load_from_disk(str(folder))
        else:
            path, _, config = name.partition(":")
            data = library.load_dataset(path, config or None)
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).strip().split(chr(10))[0]}"
        message = f"the data set {name!r} cannot be loaded ({reason})"
        raise InputError(message, field="data.source") from error
    splits = data if isinstance(data, dict) else {"all": data}
    return {split: part.flatten() for split, part in splits.items()}


def rows(data: "datasets.Dataset", columns: dict[str, str], name: str) -> Iterator[dict[str, Any]]:
    """Yield the values of every text of a split by role; classes by their names.

    Args:
        data: The split.
        columns: Name of the feature by role.
        name: The data set's, for messages.

    Raises:
        InputError: There is no such feature, or it holds neither text nor numbers.
    """
    schema = data.features.arrow_schema
    for role, column in columns.items():
        field = f"data.columns.{role}"
        if column not in data.features:
            raise InputError(
                f"{name} has no feature {column!r}; features: {listed(data.column_names)}"
                f"{did_you_mean(column, data.column_names)}",
                field=field,
            )
        rule = "text" if role in ("text", "text_pair") else "text or numbers"
        if not holds(rule, schema.field(column).type):
            raise InputError(
                f"feature {column!r} of {name} must hold {rule}. Received: "
                f"{schema.field(column).type}",
                field=field,
            )
    wanted = data.select_columns(list(dict.fromkeys(columns.values()))).with_format("arrow")
    for batch in wanted.iter(BATCH_ROWS):
        for part in batch.to_batches():
            values = [_values(data.features[column], part[column]) for column in columns.values()]
            for row in zip(*values, strict=True):
                yield dict(zip(columns, row, strict=True))


def _values(feature: Any, column: Any) -> Iterable[Any]:
    names = getattr(feature, "names", None)
    if names is None:
        return cells(column)
    # The hub writes -1 for a text that has no label.
    codes = column.to_pylist()
    return [None if code is None or code < 0 else names[code] for code in codes]


def _short(name: str) -> str:
    return Path(name.partition(":")[0]).name or name
