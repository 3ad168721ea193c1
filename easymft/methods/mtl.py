"""BERT (MTL): a shared encoder with one class head per domain."""

import keras

from easymft.config import Config
from easymft.methods.method import Method
from easymft.models import MultiTaskTextClassifier


def _build(
    backbone: keras.Model, config: Config, num_classes: int, num_domains: int, steps: int
) -> MultiTaskTextClassifier:
    return MultiTaskTextClassifier(
        backbone,
        num_classes,
        num_domains,
        embedding=config.mft.embedding,
        dropout=config.dropout,
    )


MTL = Method("mtl", "BERT (MTL)", _build, fine_tunes=False)
