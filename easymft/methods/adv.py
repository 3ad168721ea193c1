"""BERT (Adv): Mix plus an adversarial domain classifier."""

import keras

from easymft.config import Config
from easymft.methods.method import Method
from easymft.models import AdversarialTextClassifier


def _build(
    backbone: keras.Model, config: Config, num_classes: int, num_domains: int, steps: int
) -> AdversarialTextClassifier:
    return AdversarialTextClassifier(
        backbone,
        num_classes,
        num_domains,
        ramp_steps=steps,
        strength=config.adversary_strength,
        embedding=config.mft.embedding,
        dropout=config.dropout,
    )


ADV = Method("adv", "BERT (Adv)", _build, fine_tunes=False)
