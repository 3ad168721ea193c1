import numpy as np
import pytest
import tensorflow as tf

from easymft.data.corpus.rows import to_name
from easymft.export.text_input import clean_text, padded_lengths, plain_name, tokenize
from tests.export.conftest import MAX_LENGTH, make_preprocessor

LIMIT = 16 * MAX_LENGTH


def clean(text):
    return clean_text(tf.constant([text]), MAX_LENGTH)[0].numpy()


@pytest.mark.parametrize("char", ["a", "é", "漢", "😀"])
def test_keeps_as_many_characters_as_training_does(char):
    assert clean((char * (LIMIT + 5)).encode()).decode() == char * LIMIT
    assert clean(("a" + char * LIMIT).encode()).decode() == "a" + char * (LIMIT - 1)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", ""),
        (b"a\xffb", "a\ufffdb"),
        (b"a\xc3", "a\ufffd"),
        (b"a\x00b\x00", "ab"),
        ("é\t漢\n😀".encode(), "é\t漢\n😀"),
    ],
)
def test_replaces_what_is_no_utf8_and_drops_nul(raw, text):
    assert clean(raw).decode() == text


@pytest.mark.long
def test_same_ids_as_python_strings_in_training(preprocessor):
    texts = [
        "Good CAFÉ, bad!",
        "",
        "CAFE\u0301S",
        "good\u00a0bad",
        "the\u200bcafe 😀",
        "good " * 99,
    ]
    graph = tf.function(lambda t: tokenize(preprocessor, (t,)))(tf.constant(texts))
    for row, text in enumerate(texts):
        ids = preprocessor(x=[text])["token_ids"][0]
        assert graph["token_ids"][row].numpy().tolist() == ids.numpy().tolist()


def test_a_domain_is_named_in_the_graph_as_elsewhere():
    names = [
        *("books", " books\n", "\u2003books\u00a0\u0085\x1c", "", "  ", "a \n b", "\ufeffa"),
        *("cafe\u0301", "caf\u00e9", "3.0", "-12.0", "-0.0", "-0", "03.0", "1.00", "1.5"),
        *("True", "TRUE", "true", "tRUE", "False", "Falsehood", "\u1e9b\u0323"),
    ]
    found = plain_name(tf.constant([name.encode() for name in names])).numpy()
    assert [name.decode() for name in found] == [to_name(name) or "" for name in names]
    assert plain_name(tf.constant([b"a\xff "]))[0].numpy().decode() == "a\ufffd"


@pytest.mark.long
def test_is_padded_to_the_next_length_that_holds_the_longest_text():
    preprocessor = make_preprocessor(21)
    assert padded_lengths(21) == [4, 8, 16, 21]
    graph = tf.function(lambda t: tokenize(preprocessor, (t,)), [tf.TensorSpec([None], tf.string)])
    asked = {
        4: ([], [""], ["good good", "the"]),  # [CLS] and [SEP] are two tokens
        8: (["good " * 3], ["good " * 6, "the"]),
        16: (["good " * 7, "", "the"], ["good " * 14]),
        21: (["good " * 15], ["", "good " * 99]),
    }
    for length, batches in asked.items():
        for texts in batches:
            tokens = graph(tf.constant(texts, tf.string))
            assert {name: value.shape for name, value in tokens.items()} == dict.fromkeys(
                ("token_ids", "padding_mask", "segment_ids"), (len(texts), length)
            )
            for name, values in preprocessor(x=tf.constant([*texts, ""])).items():
                whole = np.asarray(values)[: len(texts)]
                np.testing.assert_array_equal(tokens[name], whole[:, :length])
                assert not whole[:, length:].any()  # padding alone is cut


def test_lengths_end_with_the_greatest():
    assert padded_lengths(4) == [4]
    assert padded_lengths(8) == [4, 8]
    assert padded_lengths(128) == [4, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128]
