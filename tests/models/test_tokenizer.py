import json

import keras
import keras_hub
import numpy as np
import pytest

from easymft.errors import InputError
from easymft.models.hugging_face_bert_tokenizer import HuggingFaceBertTokenizer
from easymft.models.tokenizer import load_preprocessor, load_tokenizer
from tests.models.hugging_face import VOCABULARY, write_bert

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [
    "cafe",
    "zero",
    "##width",
    "a",
    "b",
    "tm",
    "™",
    "ß",
    "ss",
    "漢",
    "字",
    "i",
    "\u03c3",
    "[",
    "]",
    "sep",
]
ID = {piece: number for number, piece in enumerate(SPECIAL + PIECES)}

# What BERT's own text cleaning gives, piece by piece.
CASES = [
    ("", []),
    ("  \t\n", []),
    ("café CAFÉ cafe\u0301", ["cafe", "cafe", "cafe"]),
    ("zero\u200bwidth zero\u00adwidth", ["zero", "##width", "zero", "##width"]),
    ("a\u00a0b\u3000a\u2028b\r\na", ["a", "b", "a", "b", "a"]),
    ("a\ufffd\x00", ["a"]),
    ("™ ß", ["™", "ß"]),
    ("漢字a", ["漢", "字", "a"]),
    ("\u0130 I", ["i", "i"]),
    ("\u03a3", ["\u03c3"]),
    ("a 😀 b", ["a", "[UNK]", "b"]),
    ("[SEP]", ["[", "sep", "]"]),
]
TEXTS = [text for text, _ in CASES]
EXPECTED = [[ID[piece] for piece in pieces] for _, pieces in CASES]


def as_lists(ragged):
    return [[int(number) for number in row] for row in ragged]


def test_cleans_text_as_bert_does():
    tokenizer = HuggingFaceBertTokenizer(SPECIAL + PIECES)
    assert as_lists(tokenizer(TEXTS)) == EXPECTED
    assert as_lists(tokenizer(np.array(TEXTS[2:4], dtype=object))) == EXPECTED[2:4]
    assert [int(number) for number in tokenizer("café".encode())] == [ID["cafe"]]


@pytest.mark.long
def test_gives_the_same_in_a_tensorflow_graph_and_takes_only_old_tf_text_ops():
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("tensorflow_text")
    tokenizer = HuggingFaceBertTokenizer(SPECIAL + PIECES)
    graph = tf.function(
        tokenizer.tokenize, input_signature=[tf.TensorSpec([None], tf.string)]
    ).get_concrete_function()
    assert graph(tf.constant(TEXTS)).to_list() == EXPECTED
    assert as_lists(tokenizer(tf.constant(TEXTS))) == EXPECTED  # eager
    assert tf_text_ops(graph) == {
        "NormalizeUTF8",
        "RegexSplitWithOffsets",
        "FastWordpieceTokenizeWithOffsets",
    }


def tf_text_ops(graph):
    """Ops of the graph and its functions that do not come with TensorFlow itself."""
    definition = graph.graph.as_graph_def()
    nodes = list(definition.node)
    for function in definition.library.function:
        nodes.extend(function.node_def)
    ours = ("UTF8", "RegexSplit", "Wordpiece", "Trim", "Tokenize")
    return {node.op for node in nodes if any(word in node.op for word in ours)}


def test_a_cased_tokenizer_keeps_case_and_accents_but_cleans():
    vocabulary = [*SPECIAL, "Café", "cafe"]
    tokenizer = HuggingFaceBertTokenizer(vocabulary, lowercase=False)
    assert [int(i) for i in tokenizer("Caf\u00ad\u00e9\u00a0cafe")] == [5, 6]
    stripping = HuggingFaceBertTokenizer([*SPECIAL, "Cafe"], lowercase=False, strip_accents=True)
    assert [int(i) for i in stripping("Café")] == [5]


def test_tokenizer_config_round_trip():
    tokenizer = HuggingFaceBertTokenizer(
        SPECIAL, lowercase=True, strip_accents=False, split_on_cjk=False
    )
    again = HuggingFaceBertTokenizer.from_config(tokenizer.get_config())
    assert (again.to_lowercase, again.strip_accents, again.split_on_cjk) == (True, False, False)
    assert again.lowercase is False  # the parent must not case-fold on top
    assert keras.saving.get_registered_object("easymft>HuggingFaceBertTokenizer")


def test_keras_hub_still_finds_its_own_tokenizer_for_its_presets(tmp_path):
    backbone = keras_hub.models.BertBackbone(len(VOCABULARY), 1, 2, 4, 8)
    backbone.save_to_preset(str(tmp_path))
    keras_hub.models.BertTokenizer(VOCABULARY).save_to_preset(str(tmp_path))
    loaded = keras_hub.models.Tokenizer.from_preset(str(tmp_path))
    assert type(loaded) is keras_hub.models.BertTokenizer


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (True, True, True)),
        ({"do_lower_case": True, "strip_accents": None}, (True, True, True)),
        ({"do_lower_case": True, "strip_accents": False}, (True, False, True)),
        ({"do_lower_case": False, "tokenize_chinese_chars": False}, (False, False, False)),
    ],
)
def test_options_come_from_the_hugging_face_folder(tmp_path, settings, expected):
    write_bert(tmp_path, **settings)
    tokenizer = load_tokenizer(str(tmp_path))
    assert tokenizer.get_vocabulary() == VOCABULARY
    found = (tokenizer.to_lowercase, tokenizer.strip_accents, tokenizer.split_on_cjk)
    assert found == expected


def test_a_folder_with_only_a_tokenizer_json_works(tmp_path):
    write_bert(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    fast = {
        "normalizer": {"type": "BertNormalizer", "lowercase": False, "strip_accents": None},
        "model": {"type": "WordPiece", "vocab": {piece: i for i, piece in enumerate(VOCABULARY)}},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(fast))
    tokenizer = load_tokenizer(str(tmp_path))
    assert tokenizer.get_vocabulary() == VOCABULARY
    assert not tokenizer.to_lowercase
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="cannot be loaded"):
        load_tokenizer(str(tmp_path))


@pytest.mark.parametrize(
    ("vocabulary", "strips"), [(VOCABULARY, True), ([*VOCABULARY, "é"], False)]
)
def test_a_lowercasing_keras_preset_strips_accents_unless_its_vocabulary_has_them(
    tmp_path, vocabulary, strips
):
    keras_hub.models.BertBackbone(len(vocabulary), 1, 2, 4, 8).save_to_preset(str(tmp_path))
    keras_hub.models.BertTokenizer(vocabulary, lowercase=True).save_to_preset(str(tmp_path))
    tokenizer = load_tokenizer(str(tmp_path))
    assert tokenizer.strip_accents is strips
    assert [int(i) for i in tokenizer("Café")] == [VOCABULARY.index("cafe" if strips else "[UNK]")]


def test_preprocessor_packs_texts_and_pairs_by_waterfall(tmp_path):
    write_bert(tmp_path)
    preprocessor = load_preprocessor(str(tmp_path), 8)
    texts, pairs = ["The goodness!", "good"], ["cafe cafe cafe cafe cafe cafe", "the"]
    single = preprocessor(texts)
    np.testing.assert_array_equal(
        single["token_ids"], [[2, 5, 7, 8, 9, 3, 0, 0], [2, 7, 3, 0, 0, 0, 0, 0]]
    )
    np.testing.assert_array_equal(single["padding_mask"], np.array(single["token_ids"]) != 0)
    both = preprocessor(x=(texts, pairs))
    # Of 8 places 3 are special; the text takes 4 and leaves 1 to the pair.
    np.testing.assert_array_equal(
        both["token_ids"], [[2, 5, 7, 8, 9, 3, 6, 3], [2, 7, 3, 5, 3, 0, 0, 0]]
    )
    np.testing.assert_array_equal(
        both["segment_ids"], [[0, 0, 0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0, 0, 0]]
    )


@pytest.mark.long
def test_preprocessor_in_a_graph_takes_only_old_tf_text_ops(tmp_path):
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("tensorflow_text")
    write_bert(tmp_path)
    preprocessor = load_preprocessor(str(tmp_path), 8)
    graph = tf.function(
        lambda texts, pairs: preprocessor(x=(texts, pairs)),
        input_signature=[tf.TensorSpec([None], tf.string)] * 2,
    ).get_concrete_function()
    packed = graph(tf.constant(["The goodness!"]), tf.constant(["cafe cafe"]))
    np.testing.assert_array_equal(packed["token_ids"], [[2, 5, 7, 8, 9, 3, 6, 3]])
    assert tf_text_ops(graph) <= {
        "CaseFoldUTF8",
        "NormalizeUTF8",
        "RegexSplitWithOffsets",
        "FastWordpieceTokenizeWithOffsets",
    }


def test_preprocessor_gives_what_the_backbone_takes(tmp_path):
    backbone = keras_hub.models.DistilBertBackbone(len(VOCABULARY), 1, 2, 4, 8)
    backbone.save_to_preset(str(tmp_path))
    keras_hub.models.DistilBertTokenizer(VOCABULARY).save_to_preset(str(tmp_path))
    assert set(load_preprocessor(str(tmp_path), 8)(["the"])) == set(backbone.input)


def test_a_saved_preprocessor_loads_again(tmp_path):
    write_bert(tmp_path / "hugging_face")
    preprocessor = load_preprocessor(str(tmp_path / "hugging_face"), 8)
    keras_hub.models.BertBackbone(len(VOCABULARY), 1, 2, 4, 8).save_to_preset(
        str(tmp_path / "keras")
    )
    preprocessor.save_to_preset(str(tmp_path / "keras"))
    again = load_preprocessor(str(tmp_path / "keras"), 8)
    assert type(again.tokenizer) is HuggingFaceBertTokenizer
    np.testing.assert_array_equal(again(["CAFÉ"])["token_ids"], [[2, 6, 3, 0, 0, 0, 0, 0]])


def test_sizes_that_do_not_fit_are_input_errors(tmp_path):
    write_bert(tmp_path)
    with pytest.raises(InputError, match="at most 16"):
        load_preprocessor(str(tmp_path), 17)
    with pytest.raises(InputError, match="at least 4"):
        load_preprocessor(str(tmp_path), 3)
    (tmp_path / "vocab.txt").write_text("".join(f"{piece}\n" for piece in [*VOCABULARY, "x"]))
    with pytest.raises(InputError, match=r"11 word pieces .* only 10"):
        load_preprocessor(str(tmp_path), 8)


def test_a_vocabulary_without_special_tokens_is_an_input_error(tmp_path):
    write_bert(tmp_path, vocabulary=["[UNK]", "the"])
    with pytest.raises(InputError, match="cannot be loaded"):
        load_tokenizer(str(tmp_path))
