"""What the parts of a split are called."""

from collections.abc import Sequence

import numpy as np

Splits = dict[str, np.ndarray]
"""Row numbers of a corpus by part."""

PARTS = ("train", "dev", "test")
# Of a domain left out of meta-learning; it trains on its own later.
LEFT_OUT_PARTS = ("left_out_train", "left_out_dev")
# Texts whose labels no method sees, if they have any.
UNLABELED = "unlabeled"
TRAINING_PARTS = ("train", "left_out_train")
DEV_PARTS = ("dev", "left_out_dev")
HELD_OUT_PARTS = ("dev", "left_out_dev", "test")


def joined_rows(splits: Splits, parts: Sequence[str]) -> np.ndarray:
    """Return the rows of several parts, one after the other; a part may be missing."""
    return np.concatenate([splits[part] for part in parts if part in splits])
