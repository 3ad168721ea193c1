"""Word pieces counted in Python are as many as the tokenizer that models read by makes."""

import dataclasses
import random

import keras_hub
import numpy as np
import pyarrow as pa
import pytest

from easymft.data import sample
from easymft.data.batches import tokenized
from easymft.data.batches.tokenized import tokenize
from easymft.data.corpus import word_pieces as module
from easymft.data.corpus.schema import Corpus
from easymft.data.corpus.word_pieces import SPECIAL_TOKENS, WordPieces
from easymft.models.hugging_face_bert_tokenizer import HuggingFaceBertTokenizer

# Of many scripts: accents, marks, letters that grow, ideographs, signs, spaces, nothing to see.
LETTERS = "aábcÀÉéèñüßΣσςАяІїЖ漢字ひカ한글עِباकि ๐ีŉİıﬁ™①½😀🎉…—«»¿!?-_#[]()'\"$^`~|"  # noqa: RUF001
SPACES = " \t\n\r\u00a0\u3000\u2028\u200b\u00ad\ufeff\ufffd\x00\x07\ue000"
VOCABULARY = [
    *(*SPECIAL_TOKENS, *"abcéèσя漢字한!?-[]", "ss", "##ss", "##a", "##b", "##c", "##е", "##я"),  # noqa: RUF001
    *("good", "book", "##s", "cafe", "café", "##é", "ᄒ", "##ᅡ", "##ᆫ", "aa", "##aaaa", "…"),
]
OPTIONS = [
    {},
    {"strip_accents": False},
    {"lowercase": False, "split_on_cjk": False},
    {"lowercase": False, "strip_accents": True},
]


def _texts(count):
    draw = random.Random(3)
    lengths = [draw.choice([0, 1, 4, 12, 60]) for _ in range(count)]
    made = ["".join(draw.choices(LETTERS + SPACES + "    abc", k=length)) for length in lengths]
    # Words of 99 to 101 bytes, in letters of one, two and three.
    return made + [
        letter * number + end
        for letter, size in (("a", 1), ("я", 2), ("漢", 3), ("한", 9))
        for number in (99 // size, 100 // size, 101 // size)
        for end in ("", "a", "é")
    ]


def _corpus(first, second=None):
    count = len(first)
    columns = {
        "id": [str(row) for row in range(count)],
        "text": first,
        "label": pa.array(np.arange(count) % 2, pa.int32()),
        "domain": pa.array(np.arange(count) % 3, pa.int32()),
    }
    if second is not None:
        columns["text_pair"] = second
    return Corpus(pa.table(columns), ("no", "yes"), ("x", "y", "z"), "test", "made here")


def _preprocessor(vocabulary, **options):
    return keras_hub.models.BertTextClassifierPreprocessor(
        HuggingFaceBertTokenizer(vocabulary, **options), sequence_length=8, truncate="waterfall"
    )


def _assert_same(found, expected):
    for field in dataclasses.fields(expected):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        np.testing.assert_array_equal(one, other, field.name)


def test_counts_the_pieces_of_every_word():
    counter = WordPieces([*SPECIAL_TOKENS, "good", "##s", "book", "!"])
    # "goods" has two pieces, "bad" and "?" are unknown.
    assert counter.counts("Goods book\u00a0BAD!?") == [2, 1, 0, 1, 0]
    assert counter.counts(" \n") == []
    assert counter.counts("[SEP]") == [0, 0, 0]


@pytest.mark.parametrize("options", OPTIONS)
def test_as_many_as_the_tokenizer_makes_of_any_script(options):
    texts = _texts(400)
    tokenizer, counter = (
        HuggingFaceBertTokenizer(VOCABULARY, **options),
        WordPieces(VOCABULARY, **options),
    )
    unknown = tokenizer.token_to_id("[UNK]")
    for text, ids in zip(texts, tokenizer(texts), strict=True):
        counts = counter.counts(text)
        assert sum(count or 1 for count in counts) == len(ids), repr(text)
        assert counts.count(0) == [int(i) for i in ids].count(unknown), repr(text)


@pytest.mark.parametrize("max_length", [5, 12, 16])
@pytest.mark.parametrize("paired", [False, True])
def test_the_report_of_a_corpus_is_the_same(tmp_path, monkeypatch, max_length, paired):
    # Fewer than some texts have: the lengths of these are estimated.
    monkeypatch.setattr("easymft.data.corpus.pieces.CHARACTERS_PER_TOKEN", 3)
    monkeypatch.setattr("easymft.data.corpus.pieces.CHUNK", 100)
    texts = _texts(240)
    corpus = _corpus(texts, texts[::-1] if paired else None)
    expected = tokenize(corpus, _preprocessor(VOCABULARY), max_length, tmp_path).pieces
    found = WordPieces(VOCABULARY).of_corpus(corpus, max_length)
    _assert_same(found, expected)
    # Something is cut, estimated and unknown, or there would be nothing to compare.
    assert found.cut.any()
    assert found.estimated > 0
    assert 0 < found.unknown.sum() < found.kept.sum()


@pytest.mark.long
def test_the_report_is_that_of_the_tensorflow_graph_too(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_text")
    monkeypatch.setattr(tokenized, "GRAPH_FROM", 0)
    corpus = _corpus(_texts(400))
    expected = tokenize(corpus, _preprocessor(VOCABULARY), 12, tmp_path).pieces
    _assert_same(WordPieces(VOCABULARY).of_corpus(corpus, 12), expected)


def test_the_report_of_the_sample_is_the_same(tmp_path):
    corpus = sample.read_sample()
    words = {word for text in corpus.table["text"].to_pylist() for word in text.lower().split()}
    letters = sorted({letter for word in words for letter in word})
    # Half of the words, and letters to spell the others with, but for those with a "q".
    vocabulary = [
        *SPECIAL_TOKENS,
        *sorted(words)[::2],
        *letters,
        *(f"##{letter}" for letter in letters),
    ]
    vocabulary = [piece for piece in dict.fromkeys(vocabulary) if piece not in ("q", "##q")]
    expected = tokenize(corpus, _preprocessor(vocabulary), 48, tmp_path).pieces
    found = WordPieces(vocabulary).of_corpus(corpus, 48)
    _assert_same(found, expected)
    assert found.cut.any()
    assert found.unknown.any()


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "_MAX_WORDS", 3)
    counter = WordPieces([*SPECIAL_TOKENS, *"abcdefgh"])
    assert counter.counts("a b c d e f g h z a b") == [1] * 8 + [0, 1, 1]
    assert len(counter._words) <= 3
