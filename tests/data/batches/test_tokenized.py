import errno
import io

import keras_hub
import numpy as np
import pyarrow as pa
import pytest

from easymft import files
from easymft.data.batches import tokenized as pipeline
from easymft.data.batches import tokenized_texts
from easymft.data.batches.tokenized import (
    TokenizedTexts,
    corpus_fingerprint,
    preprocessor_fingerprint,
    tokenize,
)
from easymft.data.corpus import pieces
from easymft.data.corpus.schema import Corpus
from easymft.errors import InputError

WORDS = ["a", "good", "book", "bad", "knife", "##s", "blade", "."]
FIRST = ["a good book .", "", "bad knifes", "a a a a a a a a a a", "good", "what"]
SECOND = ["a bad blade", "good", "", "bad bad", "a a a a a a a a a a a a", "."]


def _corpus(first, second=None):
    columns = {
        "id": [f"text-{row}" for row in range(len(first))],
        "text": first,
        "label": pa.array(np.arange(len(first)) % 2, pa.int32()),
        "domain": pa.array(np.arange(len(first)) % 3, pa.int32()),
    }
    if second is not None:
        columns["text_pair"] = second
    return Corpus(pa.table(columns), ("no", "yes"), ("x", "y", "z"), "test", "made here")


def _bert(words=WORDS, **settings):
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    return keras_hub.models.BertTextClassifierPreprocessor(
        keras_hub.models.BertTokenizer(vocabulary, lowercase=True),
        **{"sequence_length": 512, "truncate": "waterfall", **settings},
    )


def _roberta():
    merges = ["Ġ g", "o o", "Ġg oo", "Ġgoo d", "Ġ b", "Ġb oo", "Ġboo k", "Ġ a"]
    pieces = ["<s>", "<pad>", "</s>", "<mask>", "a", "Ġgood", "Ġbook", "Ġa"]
    parts = [part for merge in merges for part in merge.split()]
    pieces += [part for part in dict.fromkeys(parts) if part not in pieces]
    vocabulary = {piece: code for code, piece in enumerate(pieces)}
    tokenizer = keras_hub.models.RobertaTokenizer(vocabulary, merges)
    return keras_hub.models.RobertaTextClassifierPreprocessor(tokenizer, truncate="waterfall")


def _without_tensorflow_text(monkeypatch):
    monkeypatch.setattr(pipeline.importlib.util, "find_spec", lambda name: None)


def _row(tokens, row):
    return tokens.token_ids[tokens.offsets[row] : tokens.offsets[row + 1]].tolist()


def test_single_texts_are_packed_and_cut(tmp_path):
    tokens = tokenize(_corpus(FIRST), _bert(), 6, tmp_path)
    assert [_row(tokens, row) for row in range(6)] == [
        [2, 5, 6, 7, 12, 3],
        [2, 3],
        [2, 8, 9, 10, 3],
        [2, 5, 5, 5, 5, 3],
        [2, 6, 3],
        [2, 1, 3],
    ]
    np.testing.assert_array_equal(tokens.second_start, tokens.lengths)
    np.testing.assert_array_equal(tokens.labels, [0, 1, 0, 1, 0, 1])
    np.testing.assert_array_equal(tokens.domains, [0, 1, 2, 0, 1, 2])
    assert len(tokens) == 6
    dtypes = [getattr(tokens, name).dtype.name for name in tokenized_texts._ARRAYS]
    assert dtypes == ["int32", "int64", "int32", "int32", "int32"]


def test_pairs_fill_the_first_segment_first(tmp_path):
    tokens = tokenize(_corpus(FIRST, SECOND), _bert(), 8, tmp_path)
    assert [_row(tokens, row) for row in range(6)] == [
        [2, 5, 6, 7, 12, 3, 5, 3],
        [2, 3, 6, 3],
        [2, 8, 9, 10, 3, 3],
        [2, 5, 5, 5, 5, 5, 3, 3],
        [2, 6, 3, 5, 5, 5, 5, 3],
        [2, 1, 3, 12, 3],
    ]
    np.testing.assert_array_equal(tokens.second_start, [6, 2, 5, 7, 3, 3])


@pytest.mark.parametrize("graph", [False, pytest.param(True, marks=pytest.mark.long)])
def test_lengths_are_kept_as_they_were_before_cutting(tmp_path, monkeypatch, graph):
    if graph:
        monkeypatch.setattr(pipeline, "GRAPH_FROM", 1)
    tokens = tokenize(_corpus(FIRST), _bert(), 6, tmp_path)
    pieces = tokens.pieces
    assert pieces.lengths.tolist() == [6, 2, 5, 12, 3, 3]  # [CLS] and [SEP] are two
    assert pieces.cut.tolist() == [False, False, False, True, False, False]
    assert pieces.kept.tolist() == [6, 2, 5, 6, 3, 3]
    assert (pieces.special_tokens, pieces.estimated, pieces.are_whole) == (2, 0, True)
    pairs = tokenize(_corpus(FIRST, SECOND), _bert(), 8, tmp_path).pieces
    assert pairs.lengths.tolist() == [10, 4, 6, 15, 16, 5]
    assert pairs.special_tokens == 3


def test_the_length_of_a_text_cut_by_characters_is_estimated(tmp_path, monkeypatch):
    _without_tensorflow_text(monkeypatch)
    # 64 words on 127 characters, of which 64 are tokenized: 32 words.
    pieces = tokenize(_corpus([" ".join(["a"] * 64), "a good"]), _bert(), 4, tmp_path).pieces
    assert pieces.lengths.tolist() == [66, 4]
    assert pieces.estimated == 1


def test_what_the_vocabulary_lacks_is_counted_by_domain(tmp_path, monkeypatch):
    _without_tensorflow_text(monkeypatch)
    texts = ["good words", "a книга", "good book", "what is it ."]
    pieces = tokenize(_corpus(texts), _bert(), 6, tmp_path).pieces
    assert pieces.unknown.tolist() == [1, 1, 0, 3]
    # Domains are 0, 1, 2, 0: four of six pieces, one of two, none of two.
    np.testing.assert_allclose(
        pieces.unknown_shares(np.array([0, 1, 2, 0]), 4), [4 / 6, 1 / 2, 0, 0]
    )
    # Byte pairs go down to single bytes: nothing is unknown.
    no_unknown = tokenize(_corpus(["книга"] * 2), _roberta(), 6, tmp_path).pieces
    assert no_unknown.unknown.tolist() == [0, 0]


def test_sentence_pieces_have_an_unknown_token_too():
    sentencepiece = pytest.importorskip("sentencepiece")
    albert = {"pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3}
    roberta = {"pad_id": -1, "unk_id": 0, "bos_id": 1, "eos_id": 2}
    for name, ids, unknown in (("Albert", albert, 1), ("XLMRoberta", roberta, 3)):
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a good book", "a bad knife"]),
            model_writer=model,
            vocab_size=24,
            hard_vocab_limit=False,
            **ids,
            **{"pad_piece": "<pad>", "bos_piece": "[CLS]", "eos_piece": "[SEP]"},
            user_defined_symbols="[MASK]",
        )
        tokenizer = getattr(keras_hub.models, f"{name}Tokenizer")(model.getvalue())
        assert unknown in tokenizer("книга")
        assert pipeline._unknown_id(tokenizer) == unknown


def test_equals_the_preprocessor_on_whole_texts(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "CHUNK", 4)
    preprocessor = _bert(sequence_length=9)
    tokens = tokenize(_corpus(FIRST, SECOND), preprocessor, 9, tmp_path)
    expected = preprocessor(x=(FIRST, SECOND))
    padded = np.zeros((2, 6, 9), int)
    for row in range(6):
        padded[0, row, : tokens.lengths[row]] = _row(tokens, row)
        padded[1, row, tokens.second_start[row] : tokens.lengths[row]] = 1
    np.testing.assert_array_equal(padded[0], expected["token_ids"])
    np.testing.assert_array_equal(padded[1], expected["segment_ids"])
    np.testing.assert_array_equal(padded[0] > 0, expected["padding_mask"])


@pytest.mark.parametrize("graph", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_roberta_pairs_have_two_separators(graph, tmp_path, monkeypatch):
    if not graph:
        _without_tensorflow_text(monkeypatch)
    first, second = ["a good book", "a"], ["a", "a good good good good"]
    preprocessor = _roberta()
    tokens = tokenize(_corpus(first, second), preprocessor, 10, tmp_path)
    assert _row(tokens, 0) == [0, 4, 5, 6, 2, 2, 4, 2]
    assert _row(tokens, 1) == [0, 4, 2, 2, 4, 5, 5, 5, 5, 2]
    np.testing.assert_array_equal(tokens.second_start, [6, 4])
    assert tokens.pad_id == 1
    preprocessor.sequence_length = 10
    np.testing.assert_array_equal(
        preprocessor(x=(first, second))["token_ids"],
        [[*_row(tokens, 0), 1, 1], _row(tokens, 1)],
    )


def test_long_texts_are_cut_by_characters_first(tmp_path, monkeypatch):
    _without_tensorflow_text(monkeypatch)
    monkeypatch.setattr(pieces, "CHARACTERS_PER_TOKEN", 1)
    tokens = tokenize(_corpus(["good book"]), _bert(), 6, tmp_path)
    assert _row(tokens, 0) == [2, 6, 1, 3]  # of "good b" the rest is no known word


def test_a_second_call_reads_the_cache(tmp_path, monkeypatch):
    _without_tensorflow_text(monkeypatch)
    preprocessor = _bert()
    first = tokenize(_corpus(FIRST), preprocessor, 6, tmp_path)
    fingerprint = preprocessor_fingerprint(preprocessor)
    preprocessor.tokenizer = preprocessor.packer = None
    again = tokenize(_corpus(FIRST), preprocessor, 6, tmp_path, fingerprint)
    np.testing.assert_array_equal(first.token_ids, again.token_ids)
    assert isinstance(again.token_ids, np.memmap)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["token_ids.npy", "offsets.npy", "settings.json"])
def test_a_damaged_cache_is_made_anew(tmp_path, monkeypatch, name):
    _without_tensorflow_text(monkeypatch)
    first = tokenize(_corpus(FIRST), _bert(), 6, tmp_path)
    expected = np.array(first.token_ids)
    damaged = next(tmp_path.glob(f"*/{name}"))
    content = damaged.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    np.testing.assert_array_equal(
        tokenize(_corpus(FIRST), _bert(), 6, tmp_path).token_ids, expected
    )
    assert damaged.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch, caplog):
    _without_tensorflow_text(monkeypatch)
    (tmp_path / "file").touch()
    found = tokenize(_corpus(FIRST), _bert(), 6, tmp_path / "file/cache")
    assert "file is no folder that this user may write in; $EASYMFT_CACHE_DIR names" in caplog.text
    expected = tokenize(_corpus(FIRST), _bert(), 6, tmp_path / "cache")
    np.testing.assert_array_equal(found.token_ids, expected.token_ids)


def test_a_cache_without_room(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pipeline, "_tokenize_into", fail)
    with pytest.raises(InputError, match=r"cannot be written \(No space .* \$EASYMFT_CACHE_DIR"):
        tokenize(_corpus(FIRST), _bert(), 6, tmp_path)


def test_whatever_changes_the_tokens_changes_the_cache(tmp_path, monkeypatch):
    def one_token_a_text(corpus, *_):
        tokens = np.full((len(corpus), 1), 5)
        yield tokens, np.zeros_like(tokens), np.ones_like(tokens)

    monkeypatch.setattr(pipeline, "_packed", one_token_a_text)
    corpus, preprocessor = _corpus(FIRST), _bert()
    tokenize(corpus, preprocessor, 6, tmp_path)
    tokenize(corpus, preprocessor, 7, tmp_path)
    tokenize(_corpus([*FIRST[:-1], "book"]), preprocessor, 6, tmp_path)
    tokenize(_corpus(FIRST, SECOND), preprocessor, 6, tmp_path)
    tokenize(corpus, _bert(WORDS[::-1]), 6, tmp_path)
    tokenize(corpus, preprocessor, 6, tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


def test_fingerprints_do_not_depend_on_names_or_chunks():
    assert preprocessor_fingerprint(_bert()) == preprocessor_fingerprint(_bert())
    whole = _corpus(FIRST)
    halves = pa.concat_tables([whole.table.slice(0, 2), whole.table.slice(2)])
    chunked = Corpus(halves, whole.labels, whole.domains, "test", "made here")
    assert corpus_fingerprint(chunked) == corpus_fingerprint(whole)


def test_a_killed_tokenization_leaves_nothing(tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    _without_tensorflow_text(monkeypatch)
    monkeypatch.setattr(TokenizedTexts, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        tokenize(_corpus(FIRST), _bert(), 6, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_truncation_must_be_that_of_exported_models(tmp_path):
    with pytest.raises(ValueError, match="round_robin"):
        tokenize(_corpus(FIRST), _bert(truncate="round_robin"), 6, tmp_path)


def test_save_and_load(tmp_path):
    arrays = {
        "token_ids": np.array([2, 5, 3, 2, 3], np.int32),
        "offsets": np.array([0, 3, 5]),
        "second_start": np.array([3, 2], np.int32),
        "labels": np.array([1, 0], np.int32),
        "domains": np.array([0, 2], np.int32),
    }
    TokenizedTexts(**arrays, max_length=4, pad_id=1).save(tmp_path / "tokens")
    for mmap in (True, False):
        tokens = TokenizedTexts.load(tmp_path / "tokens", mmap=mmap)
        for name, array in arrays.items():
            np.testing.assert_array_equal(getattr(tokens, name), array)
        assert (tokens.max_length, tokens.pad_id) == (4, 1)
        np.testing.assert_array_equal(tokens.lengths, [3, 2])
        # As an earlier version wrote them.
        assert not tokens.pieces.are_whole
        assert tokens.pieces.lengths.tolist() == [3, 2]
        assert tokens.pieces.unknown.tolist() == [0, 0]
    assert files.read_json(tmp_path / "tokens/settings.json").keys() >= {"max_length", "pad_id"}
    files.write_json(tmp_path / "tokens/settings.json", {"max_length": 4, "pad_id": 1})
    assert TokenizedTexts.load(tmp_path / "tokens").max_length == 4


def test_without_tensorflow_text_the_tokens_are_the_same(tmp_path, monkeypatch):
    fast = tokenize(_corpus(FIRST, SECOND), _bert(), 8, tmp_path / "fast")
    _without_tensorflow_text(monkeypatch)
    slow = tokenize(_corpus(FIRST, SECOND), _bert(), 8, tmp_path / "slow")
    for name in tokenized_texts._ARRAYS:
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name))
