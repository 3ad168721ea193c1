"""What is familiar to those who know a corpus."""

from collections.abc import Sequence

import keras
import numpy as np

from easymft.data.batches.tokenized import TokenizedTexts
from easymft.models.familiarity import Familiarity, word_averages

_MOST = 1_000  # texts of a domain and class: a percent of them is known to a third of a percent


def familiar(
    backbone: keras.Model,
    tokens: TokenizedTexts,
    rows: np.ndarray,
    domains: Sequence[str],
    num_classes: int,
) -> Familiarity:
    """Return what texts are like those of `rows`, of which no more than enough are looked at.

    Args:
        backbone: The encoder whose word embeddings tell.
        tokens: The tokenized corpus.
        rows: `(n,)` int, the training texts.
        domains: Names of the domains.
        num_classes: Number of classes.
    """
    rows = np.random.default_rng(0).permutation(rows)
    cells = np.asarray(tokens.domains)[rows] * num_classes + np.asarray(tokens.labels)[rows]
    kept = [rows[cells == cell][:_MOST] for cell in np.unique(cells)]
    rows = np.sort(np.concatenate([rows[:0], *kept]))
    embeddings = word_averages(backbone, tokens.token_ids, tokens.offsets, rows)
    labels, codes = np.asarray(tokens.labels)[rows], np.asarray(tokens.domains)[rows]
    return Familiarity.fit(embeddings, labels, codes, domains, num_classes)
