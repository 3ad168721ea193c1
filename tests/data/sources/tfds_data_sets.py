"""Small TFDS data sets written for a test."""

from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds


def write_tfds(
    folder: Path, name: str, features: dict[str, Any], splits: dict[str, list[dict[str, Any]]]
) -> None:
    """Prepare a data set in `folder`, which `TFDS_DATA_DIR` may then name."""
    described = tfds.features.FeaturesDict(features)

    def dataset(rows):
        signature = described.get_tensor_spec()
        return tf.data.Dataset.from_generator(lambda: rows, output_signature=signature)

    tfds.dataset_builders.TfDataBuilder(
        name=name,
        version="1.0.0",
        split_datasets={split: dataset(rows) for split, rows in splits.items()},
        features=described,
        data_dir=folder,
        description=name,
        file_format="tfrecord",
    ).download_and_prepare()
