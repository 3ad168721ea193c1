"""What is familiar to those who know a corpus."""

from collections.abc import Sequence

import keras
import numpy as np

from easymft.data.batches.tokenized import TokenizedTexts
from easymft.models.familiarity import Familiarity, word_embeddings

_MOST = 1_000  # texts of a domain and class: a percent of them is known to a third of a percent


def familiar(
    words: np.ndarray,
    tokens: TokenizedTexts,
    rows: np.ndarray,
    domains: Sequence[str],
    num_classes: int,
) -> Familiarity:
    """Return what texts are like those of `rows`, of which no more than enough are looked at.

    Args:
        words: Word embeddings of an encoder; see `table_of`.
        tokens: The tokenized corpus.
        rows: `(n,)` int, the training texts.
        domains: Names of the domains.
        num_classes: Number of classes.
    """
    rows = some_of_each(tokens, rows, num_classes)
    labels, codes = np.asarray(tokens.labels)[rows], np.asarray(tokens.domains)[rows]
    return Familiarity.fit(
        *(token_ids_of(tokens, rows), labels, codes, domains, num_classes),
        words,
        _frames(tokens, rows),
    )


def some_of_each(tokens: TokenizedTexts, rows: np.ndarray, num_classes: int) -> np.ndarray:
    """Return at most `_MOST` of the rows of each domain and class, drawn at random, ascending."""
    rows = np.random.default_rng(0).permutation(rows)
    cells = np.asarray(tokens.domains)[rows] * num_classes + np.asarray(tokens.labels)[rows]
    kept = [rows[cells == cell][:_MOST] for cell in np.unique(cells)]
    return np.sort(np.concatenate([rows[:0], *kept]))


def token_ids_of(tokens: TokenizedTexts, rows: np.ndarray) -> list[np.ndarray]:
    """Return the token ids of each of some texts."""
    starts, ends = tokens.offsets[rows], tokens.offsets[rows + 1]
    return [tokens.token_ids[a:b] for a, b in zip(starts, ends, strict=True)]


def table_of(backbone: keras.Model) -> np.ndarray:
    """Return an encoder's word embeddings, `(vocabulary, width)` float32."""
    return keras.ops.convert_to_numpy(word_embeddings(backbone).embeddings).astype(np.float32)


def _frames(tokens: TokenizedTexts, rows: np.ndarray) -> list[int]:
    """Return the special tokens that every text begins and ends with."""
    if not tokens.special_tokens or not len(rows):
        return []
    ends = tokens.offsets[rows], tokens.offsets[rows + 1] - 1
    return np.unique(np.concatenate([tokens.token_ids[places] for places in ends])).tolist()
