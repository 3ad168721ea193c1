"""What a tokenizer made of a corpus's texts: how long they are, and what it could not read."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Pieces:
    """Numbers of word pieces of every text (pair).

    Args:
        lengths: int `(texts,)`, pieces before cutting, special tokens included.
        kept: int `(texts,)`, pieces after cutting.
        max_length: What texts were cut to.
        unknown: int `(texts,)`, pieces kept that stand for what the vocabulary lacks (`[UNK]`).
        special_tokens: Special tokens of every text.
        estimated: Number of texts too long to be tokenized whole, whose length is estimated from
            their beginning.
        are_whole: Whether `lengths` are those before cutting; a corpus packed by an earlier version
            has those after it.
    """

    lengths: np.ndarray
    kept: np.ndarray
    max_length: int
    unknown: np.ndarray
    special_tokens: int = 0
    estimated: int = 0
    are_whole: bool = True

    @property
    def cut(self) -> np.ndarray:
        """Whether a text lost its end, `(texts,)`."""
        return self.lengths > self.max_length

    def unknown_shares(self, domains: np.ndarray, count: int) -> np.ndarray:
        """Return the share of every domain's pieces that are unknown, `(count,)`.

        Args:
            domains: int `(texts,)`, domain of every text.
            count: Number of domains.
        """
        pieces = np.bincount(domains, self.kept - self.special_tokens, count)
        unknown = np.bincount(domains, self.unknown, count)
        return unknown / np.maximum(pieces, 1)
