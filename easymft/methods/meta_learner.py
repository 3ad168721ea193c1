"""The model that a method trains on all domains mixed."""

from typing import Any

import keras

from easymft.config import Config
from easymft.config.method import Method
from easymft.models import (
    AdversarialTextClassifier,
    MFTTextClassifier,
    MultiTaskTextClassifier,
    TextClassifier,
)
from easymft.models.label_sets import LabelSets


def build_meta_learner(
    method: Method,
    backbone: keras.Model,
    config: Config,
    num_classes: int,
    num_domains: int,
    steps: int,
    label_sets: LabelSets | None = None,
) -> TextClassifier:
    """Return the uncompiled model of a method's mixed phase.

    Args:
        method: One that has such a phase.
        backbone: The encoder as it was pre-trained.
        config: The complete recipe.
        num_classes: Number of classes.
        num_domains: Number of domains.
        steps: Training steps of the phase, over which an adversary grows.
        label_sets: The classes of each domain, where not all have all.
    """
    settings: dict[str, Any] = {
        "backbone": backbone,
        "num_classes": num_classes,
        "num_domains": num_domains,
        "embedding": config.backbone.pooling,
        "dropout": config.dropout,
        "label_sets": label_sets,
    }
    if method.model == "plain":
        return TextClassifier(**settings)
    if method.model == "multi_task":
        return MultiTaskTextClassifier(**settings)
    if method.model == "adversarial":
        strength = config.adversary.strength
        return AdversarialTextClassifier(**settings, ramp_steps=steps, strength=strength)
    if method.model == "mft":
        return MFTTextClassifier(**settings, **_mft_settings(method, config))
    raise ValueError(f"method `{method.name}` has no phase over all domains")


def _mft_settings(method: Method, config: Config) -> dict[str, Any]:
    mft = config.mft
    return {
        "corruption_weight": mft.corruption_weight if "corruption" in method.terms else 0.0,
        "corruption_layers": mft.corruption_layers,
        "corruption": mft.corruption,
        "shared_corruption_head": mft.shared_corruption_head,
        "weighted_corruption": mft.weighted_corruption,
        "corruption_pools_padding": mft.corruption_pools_padding,
        "corruption_in_evaluation": mft.corruption_in_evaluation,
        "loss_normalization": mft.loss_normalization,
        "seed": config.seed,
    }
