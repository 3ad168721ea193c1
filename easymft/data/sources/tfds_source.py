"""Any data set of TensorFlow Datasets as a corpus."""

import importlib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from easymft.data.corpus.corpus_builder import CorpusBuilder
from easymft.data.corpus.schema import Corpus
from easymft.data.files.columns import SPLIT_NAMES
from easymft.errors import InputError, did_you_mean

BATCH_ROWS = 2_048
PROBE_SECONDS = 10


def read_tfds(
    name: str,
    columns: Any,
    splits: Mapping[str, str] = SPLIT_NAMES,
    probe: str | None = None,
) -> Corpus:
    """Load a TFDS data set, prepared already or prepared (and downloaded) now.

    Args:
        name: As for `tfds.load`: `NAME`, `NAME/config` or `NAME/config:version`.
        columns: Names of the features that hold text, label, domain and so on, as attributes
            (`easymft.config.Columns`).
        splits: Our split by split of the data set; those not named are left out and noted.
        probe: A URL asked for before a download is tried, so that a machine without a network
            learns so in seconds.

    Returns:
        The corpus; without a `split` column where the data set has a train split alone.

    Raises:
        InputError: No such data set, or feature; or it cannot be downloaded.
    """
    builder = _prepared_builder(name, probe)
    features = builder.info.features
    roles = _roles(columns, features, name)
    corpus_builder, notes = CorpusBuilder(), []
    given = {split: splits.get(split) for split in builder.info.splits}
    # A lone train split is TFDS's way to say that the corpus is not split.
    several = len([split for split in given.values() if split]) > 1
    for split, our_split in given.items():
        if our_split is None:
            notes.append(f"split {split!r} of the data set left out")
            continue
        for batch in _batches(builder, split, roles):
            count = len(batch["text"])
            if several:
                batch["split"] = [our_split] * count
            if "id" not in batch:
                first = corpus_builder.rows
                batch["id"] = [f"{split}/{number}" for number in range(first, first + count)]
            corpus_builder.add(batch)
    origin = f"TensorFlow Datasets, {builder.info.full_name}"
    return corpus_builder.finish(name=builder.name, origin=origin, notes=tuple(notes))


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
    """Why `url` does not answer, or None if it does."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, method="HEAD"), timeout=PROBE_SECONDS
        ):
            return None
    except urllib.error.HTTPError:
        return None  # it answered; whether it serves downloads is for TFDS to find out
    except OSError as error:
        return str(getattr(error, "reason", error))


def _roles(columns: Any, features: Any, name: str) -> dict[str, str]:
    """Feature name of every column of ours that the data set is to give."""
    roles = {}
    for role in ("text", "text_pair", "label", "domain", "id"):
        feature = getattr(columns, role)
        if feature is None:
            continue
        if feature not in features:
            message = (
                f"{name} has no feature {feature!r}; features: {', '.join(features)}"
                f"{did_you_mean(feature, features)}"
            )
            raise InputError(message, field=f"data.columns.{role}")
        roles[role] = feature
    return roles


def _batches(builder: Any, split: str, roles: dict[str, str]) -> Iterator[dict[str, list[str]]]:
    """Batches of a split as lists of text; classes by their names."""
    names = {
        role: getattr(builder.info.features[feature], "names", None)
        for role, feature in roles.items()
    }
    data = builder.as_dataset(split=split, shuffle_files=False).batch(BATCH_ROWS)
    for batch in data.as_numpy_iterator():
        yield {
            role: [_to_text(value, names[role]) for value in batch[feature].tolist()]
            for role, feature in roles.items()
        }


def _to_text(value: Any, names: list[str] | None) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if names is not None and value >= 0:
        return names[value]
    return str(value)
