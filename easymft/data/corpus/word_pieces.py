"""BERT's word pieces of a corpus, counted: for its statistics, where nothing is to be trained yet.

Plain Python, and quick, since a corpus has few different words. What models read is tokenized by
`easymft.models.hugging_face_bert_tokenizer`, which gives as many pieces (tests compare the two; a
letter or sign younger than the Unicode of a Python or a TensorFlow may be cut otherwise).
"""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from easymft.data.corpus.pieces import Pieces, beginnings, stretch
from easymft.data.corpus.schema import Corpus
from easymft.progress import progress_bar

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_MAX_BYTES = 100  # of a word; a longer one is unknown
_MAX_WORDS = 1 << 20  # whose pieces are remembered: about 100 MB
_CAPITAL_SIGMA, _SIGMA = "\N{GREEK CAPITAL LETTER SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"
_IDEOGRAPHS = (
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF)),
    *((0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0x2F800, 0x2FA1F)),
)


class WordPieces:
    """Counts the word pieces of texts as `HuggingFaceBertTokenizer` cuts them.

    Args:
        vocabulary: Word pieces, `SPECIAL_TOKENS` among them.
        lowercase: Lower-case the text.
        strip_accents: Remove accents; `None` does what `lowercase` does.
        split_on_cjk: Make every CJK ideograph a word.

    Example:
        >>> WordPieces([*SPECIAL_TOKENS, "cafe", "##s"]).counts("CAFÉS ?")
        [2, 0]
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        lowercase: bool = True,
        strip_accents: bool | None = None,
        split_on_cjk: bool = True,
    ):
        self.lowercase = lowercase
        self.strip_accents = lowercase if strip_accents is None else strip_accents
        self._characters = _Characters(self.strip_accents, split_on_cjk)
        self._words = _Words(vocabulary)

    def counts(self, text: str) -> list[int]:
        """Return how many pieces each word of a text has, in their order; 0: it is unknown."""
        if self.lowercase:
            # BERT lower-cases letter by letter: a sigma that ends a word is an ordinary one.
            text = text.replace(_CAPITAL_SIGMA, _SIGMA).lower()
        if self.strip_accents and not text.isascii():
            text = unicodedata.normalize("NFD", text)
        words = text.translate(self._characters).split(" ")
        return [self._words[word] for word in words if word]

    def of_corpus(self, corpus: Corpus, max_length: int) -> Pieces:
        """Count the pieces of all texts, as cut to `max_length` by "waterfall" and before that.

        Args:
            corpus: The texts.
            max_length: Pieces kept of a text or pair, special tokens included.
        """
        columns = corpus.text_columns
        special_tokens = 1 + len(columns)  # [CLS] a [SEP], [CLS] a [SEP] b [SEP]
        found = np.array(list(self._tallies(corpus, max_length, special_tokens)), np.int64)
        found = found.reshape(len(corpus), 2 + len(columns))
        longer = stretch(corpus, max_length)
        lengths = special_tokens + (found[:, 2:] * longer).sum(axis=1)
        return Pieces(
            lengths=np.ceil(lengths).astype(np.int32),
            kept=special_tokens + found[:, 0],
            max_length=max_length,
            unknown=found[:, 1],
            special_tokens=special_tokens,
            estimated=int((longer > 1).any(axis=1).sum()),
        )

    def _tallies(self, corpus: Corpus, max_length: int, special_tokens: int) -> Iterator[list[int]]:
        """Yield of each text how many pieces are kept, how many of these are unknown, and all."""
        with progress_bar("count pieces", len(corpus), unit="text") as bar:
            for columns in beginnings(corpus, max_length):
                for texts in zip(*columns, strict=True):
                    segments = [self.counts(text) for text in texts]
                    totals = [sum(counts) + counts.count(0) for counts in segments]
                    yield [*_kept(segments, totals, max_length - special_tokens), *totals]
                bar.update(len(columns[0]))


def _kept(segments: list[list[int]], totals: list[int], room: int) -> tuple[int, int]:
    """Return how many pieces of all segments find room, the first ones first, and unknown ones."""
    kept = unknown = 0
    for counts, total in zip(segments, totals, strict=True):
        left = room - kept
        kept += min(total, left)
        if total <= left:
            unknown += counts.count(0)
            continue
        for count in counts:
            if left <= 0:
                break
            unknown += count == 0
            left -= count or 1
    return kept, unknown


class _Characters(dict):
    """What `str.translate` puts in the place of a character, found when it first comes."""

    def __init__(self, strip_accents: bool, split_on_cjk: bool):
        super().__init__()
        self._dropped = {"Cc", "Cf", "Co", *(["Mn"] if strip_accents else [])}
        self._splits_on_cjk = split_on_cjk

    def __missing__(self, code: int) -> str:
        char, kind = chr(code), unicodedata.category(chr(code))
        if char in "\t\n\r" or kind[0] == "Z":
            made = " "
        elif char == "\ufffd" or kind in self._dropped:
            made = ""
        else:
            is_word = kind[0] == "P" or (code < 128 and not char.isalnum())
            if self._splits_on_cjk:
                is_word |= any(first <= code <= last for first, last in _IDEOGRAPHS)
            made = f" {char} " if is_word else char
        self[code] = made
        return made


class _Words(dict):
    """How many pieces a word has, 0 where it is unknown; found when it first comes."""

    def __init__(self, vocabulary: Sequence[str]):
        super().__init__()
        self._first = {piece for piece in vocabulary if not piece.startswith("##")}
        self._later = {piece[2:] for piece in vocabulary if piece.startswith("##")}

    def __missing__(self, word: str) -> int:
        count = self._count(word)
        if len(self) >= _MAX_WORDS:
            self.clear()
        self[word] = count
        return count

    def _count(self, word: str) -> int:
        """Take the longest piece that the vocabulary has, again and again."""
        if len(word.encode()) > _MAX_BYTES:
            return 0
        start, count, pieces = 0, 0, self._first
        while start < len(word):
            ends = range(len(word), start, -1)
            end = next((end for end in ends if word[start:end] in pieces), None)
            if end is None:
                return 0
            start, count, pieces = end, count + 1, self._later
        return count
