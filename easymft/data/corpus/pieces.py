"""What a tokenizer made of a corpus's texts: how long they are, and what it could not read."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from easymft.data.corpus.schema import Corpus

# A text is tokenized whole before it is cut, so characters that cannot matter are cut first.
# English word pieces have 4 to 5 characters; 16 leaves room for long words and runs of spaces.
CHARACTERS_PER_TOKEN = 16
CHUNK = 4096  # texts tokenized at a time: the bound on memory


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


def characters(max_length: int) -> int:
    """Return how many characters of a text are tokenized."""
    return CHARACTERS_PER_TOKEN * max_length


def stretch(corpus: Corpus, max_length: int) -> np.ndarray:
    """Return by how much each text is longer than what is tokenized of it, `(texts, segments)`.

    Its end is taken to have as many word pieces a character as its beginning.
    """
    columns = [corpus.table[name] for name in corpus.text_columns]
    lengths = np.stack([pc.utf8_length(column).to_numpy() for column in columns], axis=1)
    return np.maximum(lengths / characters(max_length), 1)


def beginnings(corpus: Corpus, max_length: int) -> Iterator[tuple[list[str], ...]]:
    """Yield what is tokenized of the texts, `CHUNK` at a time: a list for each segment."""
    for chunk in chunks(corpus.table.select(corpus.text_columns)):
        cut = (pc.utf8_slice_codeunits(own, 0, characters(max_length)) for own in chunk.columns)
        yield tuple(column.to_pylist() for column in cut)


def chunks(table: pa.Table) -> Iterator[pa.Table]:
    """Yield a table in parts of `CHUNK` rows."""
    for start in range(0, len(table), CHUNK):
        yield table.slice(start, CHUNK)
