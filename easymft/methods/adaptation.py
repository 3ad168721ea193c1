"""Adapt the encoder to the domains' texts before it learns their labels.

Reference: Gururangan et al.: Don't stop pretraining, ACL 2020; Karouzos et al.: UDALM, NAACL 2021.
"""

from typing import Any

import keras
import numpy as np

from easymft.config import Config
from easymft.data.batches.masked import Masking
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.errors import InputError
from easymft.methods.checkpoint import History
from easymft.methods.phases import Record
from easymft.methods.trainer import Trainer, TrainingTexts
from easymft.models import MaskedLanguageModel

ADAPTED = "adapted"  # the encoder, among models that are called after their domains


def masking(tokenizer: Any, rate: float) -> Masking:
    """Return how tokens of a tokenizer are hidden.

    Args:
        tokenizer: Of keras-hub.
        rate: Share of a text's tokens to tell.

    Raises:
        InputError: It has no token that hides another.
    """
    mask_id, size = getattr(tokenizer, "mask_token_id", None), tokenizer.vocabulary_size()
    if mask_id is None or not 0 <= mask_id < size:
        raise InputError(
            "its vocabulary has no mask token, by which `adapt` hides others; take another "
            "encoder, or leave `adapt.epochs` 0",
            field="backbone.preset",
        )
    special = tuple(sorted(set(tokenizer.special_token_ids)))
    return Masking(mask_id, special, size, rate)


def adapt(
    config: Config,
    backbone: keras.Model,
    tokens: TokenizedTexts,
    rows: np.ndarray,
    hiding: Masking,
    record: Record,
) -> History:
    """Train an encoder, in place, to tell hidden tokens; return the history.

    Args:
        config: The complete recipe.
        backbone: The encoder as it was pre-trained.
        tokens: The tokenized texts.
        rows: int `(n,)`, the texts to read.
        hiding: How their tokens are hidden.
        record: Runs the training.
    """
    model = MaskedLanguageModel(backbone)
    trainer = Trainer(model, config.adapt.phase(), config.optimizer, config.seed)
    return record(trainer, "adaptation", TrainingTexts(tokens, rows, masking=hiding), ADAPTED)
