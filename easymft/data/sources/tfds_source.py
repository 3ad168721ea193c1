"""Any data set of TensorFlow Datasets as a corpus."""

import functools
import importlib
import operator
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from easymft.config import Columns
from easymft.data.corpus.intake import Intake, OnBadRow
from easymft.data.corpus.parts import UNLABELED
from easymft.data.corpus.rows import SPLIT_NAMES
from easymft.data.corpus.schema import Corpus
from easymft.errors import InputError, did_you_mean, listed, shown

TFDS_PREFIX = "tfds:"
BATCH_ROWS = 2_048
PROBE_SECONDS = 10


def read_tfds(
    name: str,
    columns: Columns,
    splits: Mapping[str, str] = SPLIT_NAMES,
    probe: str | None = None,
    on_bad_row: OnBadRow = "error",
) -> Corpus:
    """Load a TFDS data set, prepared already or prepared (and downloaded) now.

    Args:
        name: As for `tfds.load`: `NAME`, `NAME/config` or `NAME/config:version`.
        columns: Names of the features that hold text, label, domain and so on; a feature inside
            another goes by its path, `data/review_body`.
        splits: Our split by split of the data set; those not named are left out and noted. They
            give way to the feature `columns.split`.
        probe: A URL asked for before a download is tried, so that a machine without a network
            learns so in seconds.
        on_bad_row: See `easymft.data.corpus.intake.Intake`.

    Returns:
        The corpus; without a `split` column where the data set has a train split alone.

    Raises:
        InputError: No such data set, or feature; or it cannot be downloaded.
        InputErrors: Rows that cannot be used, by split and position from 1.
    """
    builder = _prepared_builder(name, probe)
    intake = Intake(on_bad_row, columns.by_role())
    given = {split: splits.get(split) for split in builder.info.splits}
    # A lone train split is TFDS's way to say that the corpus is not split.
    several = len([split for split in given.values() if split]) > 1
    notes, count = [], 0
    for split, our_split in given.items():
        if our_split is None:
            notes.append(f"split {split!r} of the data set left out")
            continue
        features = _features(builder.info.features, columns.by_role(our_split), name)
        place = f"{TFDS_PREFIX}{name}/{split}"
        kept = our_split if several else None
        for line, row in enumerate(_rows(builder, split, features), 1):
            # In a part that trains, a text without label is one to learn from without.
            trains = our_split == "train" and row["label"] is None
            own = UNLABELED if trains else kept
            intake.add(row, id=f"{split}/{count}", file=place, line=line, split=own)
            count += 1
    origin = f"TensorFlow Datasets, {builder.info.full_name}"
    return intake.finish(name=builder.name, origin=origin, notes=notes)


def _prepared_builder(name: str, probe: str | None) -> Any:
    try:
        tfds = importlib.import_module("tensorflow_datasets")
    except ImportError:
        raise InputError(
            "TensorFlow Datasets is not installed; pip install tensorflow-datasets",
            field="data.source",
        ) from None
    try:
        builder = tfds.builder(name)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        reason = str(error).strip().split("\n")[0]
        message = f"TensorFlow Datasets knows no such data set. Received: {name!r} ({reason})"
        raise InputError(message, field="data.source") from None
    if builder.info.splits:
        return builder
    if probe is not None and (reason := _unreachable(probe)):
        raise InputError(f"{probe} cannot be reached ({reason})", field="data.source")
    # Whatever stops a download (network, checksum, disk, a site that moved) ends in one line.
    try:
        builder.download_and_prepare()
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).strip().split(chr(10))[0]}"
        message = f"TensorFlow Datasets cannot prepare {name!r} ({reason})"
        raise InputError(message, field="data.source") from error
    return builder


def _unreachable(url: str) -> str | None:
    """Return why `url` does not answer, or None if it does."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, method="HEAD"), timeout=PROBE_SECONDS
        ):
            return None
    except urllib.error.HTTPError:
        return None  # it answered; whether it serves downloads is for TFDS to find out
    except OSError as error:
        return str(getattr(error, "reason", error))


def _features(features: Any, wanted: Mapping[str, str], name: str) -> dict[str, Any]:
    """Find keys and feature of every role: `(("data", "review_body"), Text)`."""
    known = dict(_leaves(features))
    found = {}
    for role, path in wanted.items():
        field = f"data.columns.{role}"
        if path not in known:
            raise InputError(
                f"{name} has no feature {path!r}; features: {listed(sorted(known))}"
                f"{did_you_mean(path, known)}",
                field=field,
            )
        keys, feature = known[path]
        if feature.shape != ():
            message = f"feature {path!r} of {name} must hold one value for each text"
            raise InputError(f"{message}. Received: {shown(str(feature))}", field=field)
        found[role] = keys, feature
    return found


def _leaves(features: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every feature that holds no others by its path, with the keys that lead to it."""
    import tensorflow_datasets as tfds

    # A sequence of dicts has items as well, of as many values as it is long.
    if isinstance(features, tfds.features.FeaturesDict):
        for key, feature in features.items():
            yield from _leaves(feature, (*keys, key))
    else:
        yield "/".join(keys), (keys, features)


def _rows(builder: Any, split: str, features: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the values of every text of a split by role; classes by their names."""
    data = builder.as_dataset(split=split, shuffle_files=False)
    wanted = data.map(
        lambda example: {
            role: functools.reduce(operator.getitem, keys, example)
            for role, (keys, _) in features.items()
        }
    )
    for batch in wanted.batch(BATCH_ROWS).as_numpy_iterator():
        columns = [_values(features[role][1], values) for role, values in batch.items()]
        for cells in zip(*columns, strict=True):
            yield dict(zip(batch, cells, strict=True))


def _values(feature: Any, values: Iterable[Any]) -> list[Any]:
    """Return values as their checks want them: text, numbers, names of classes, or None."""
    if getattr(feature, "num_classes", None):
        # TFDS writes -1 for a text that has no label.
        return [feature.names[value] if value >= 0 else None for value in values]
    return [_decoded(value) if isinstance(value, bytes) else value for value in values]


def _decoded(value: bytes) -> str | bytes:
    """Return text; what is no UTF-8 stays bytes, which is no text to whoever checks it."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
