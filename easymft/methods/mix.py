"""BERT (Mix): one model on all domains mixed; and the same, then fine-tuned per domain.

The second is not in the paper. It has MFT's two phases but neither of its terms, and so separates
what the phases give from what typicality and corruption give.
"""

import keras

from easymft.config import Config
from easymft.methods.method import Method
from easymft.models import TextClassifier


def _build(
    backbone: keras.Model, config: Config, num_classes: int, num_domains: int, steps: int
) -> TextClassifier:
    return TextClassifier(
        backbone,
        num_classes,
        num_domains,
        embedding=config.mft.embedding,
        dropout=config.dropout,
    )


MIX = Method("mix", "BERT (Mix)", _build, fine_tunes=False)
MIX_THEN_FINE_TUNE = Method("mix_then_fine_tune", "Mix, then fine-tune", _build, fine_tunes=True)
