"""Meta fine-tuning, whole and with one of its two terms only."""

import functools

import keras

from easymft.config import Config
from easymft.methods.method import Method
from easymft.models import MFTTextClassifier


def _build(
    backbone: keras.Model,
    config: Config,
    num_classes: int,
    num_domains: int,
    steps: int,
    corrupts: bool,
) -> MFTTextClassifier:
    mft = config.mft
    return MFTTextClassifier(
        backbone,
        num_classes,
        num_domains,
        corruption_weight=mft.corruption_weight if corrupts else 0.0,
        corruption_layers=mft.corruption_layers,
        corruption=mft.corruption,
        shared_corruption_head=mft.shared_corruption_head,
        weighted_corruption=mft.weighted_corruption,
        corruption_pools_padding=mft.corruption_pools_padding,
        corruption_in_evaluation=mft.corruption_in_evaluation,
        head_target=mft.head_target,
        head_speed=mft.head_speed,
        loss_normalization=mft.loss_normalization,
        embedding=mft.embedding,
        dropout=config.dropout,
        seed=config.seed,
    )


_with_corruption = functools.partial(_build, corrupts=True)
_without_corruption = functools.partial(_build, corrupts=False)

MFT_DC = Method("mft_dc", "MFT (DC)", _with_corruption, fine_tunes=True, corrupts=True)
MFT_TW = Method("mft_tw", "MFT (TW)", _without_corruption, fine_tunes=True, uses_typicality=True)
MFT = Method(
    "mft", "MFT (Full)", _with_corruption, fine_tunes=True, uses_typicality=True, corrupts=True
)
