import numpy as np
import pytest
from keras import ops

from easymft.models.familiarity import QUANTILES, Familiarity, word_average, word_averages

RNG = np.random.default_rng(0)


def clouds(texts, *centers):
    """Texts around each center: embeddings and the centers' numbers."""
    codes = np.repeat(np.arange(len(centers)), texts)
    embeddings = np.array(centers)[codes] + 0.1 * RNG.normal(size=(len(codes), 3))
    return embeddings.astype("float32"), codes


@pytest.fixture
def known():
    # Domain 0 has texts of both classes, domain 1 of class 0 alone, domain 2 none.
    embeddings, cells = clouds(200, [3, 0, 0], [0, 3, 0], [0, 0, 3])
    labels, codes = np.array([0, 1, 0])[cells], np.array([0, 0, 1])[cells]
    return Familiarity.fit(embeddings, labels, codes, ["books", "dvd", "toys"], 2)


def answers(known, embeddings, codes):
    return map(ops.convert_to_numpy, known(np.asarray(embeddings, "float32"), np.asarray(codes)))


def test_familiarity_worked_by_hand():
    # Two texts a class: each is compared with the other of its class, and with the other class.
    embeddings = np.array([[1, 0], [1, 1], [0, 1], [0, 2]], "float32")
    known = Familiarity.fit(embeddings, np.array([0, 0, 1, 1]), np.zeros(4, int), ["a"], 2)
    np.testing.assert_allclose(known.directions[0], [[2 / 5**0.5, 1 / 5**0.5], [0, 1]], atol=1e-6)
    # cos to the other of its class: 1/sqrt 2, 1/sqrt 2, 1, 1; to the other class's centroid: 0 for
    # the first, 1/sqrt 2 for the second, 1/sqrt 5 for the last two.
    half = 0.5**0.5
    expected = np.quantile([half, half, 1, 1], (np.arange(QUANTILES) + 0.5) / QUANTILES)
    np.testing.assert_allclose(known.typicalities[0], expected, atol=1e-6)
    # cos of [1, 0.5] with the first centroid is 1; of [-1, 0] with either at most 0; of [1, 0]
    # 2/sqrt 5 = 0.894, above the share of quantiles that are below.
    found, nearest = answers(known, [[1, 0.5], [-1, 0], [1, 0]], [0, 0, 1])
    np.testing.assert_allclose(found, [1, 0, (expected <= 2 / 5**0.5).mean()], atol=1e-6)
    assert nearest.tolist() == [0, 0, 0]


def test_texts_like_those_of_training_are_spread_evenly_and_strangers_are_at_zero(known):
    fresh, cells = clouds(2_000, [3, 0, 0], [0, 3, 0], [0, 0, 3])
    codes = np.array([0, 0, 1])[cells]
    found, nearest = answers(known, fresh, codes)
    assert nearest.tolist() == codes.tolist()
    for code in (0, 1):
        shares = np.quantile(found[codes == code], [0.1, 0.5, 0.9])
        np.testing.assert_allclose(shares, [0.1, 0.5, 0.9], atol=0.08)
    strange, _ = answers(known, -fresh, codes)
    assert strange.max() == 0


def test_of_no_known_domain_it_is_the_nearest_and_in_one_without_texts_nothing_is_familiar(known):
    fresh, cells = clouds(5, [0, 0, 3])
    by_name, _ = answers(known, fresh, cells + 1)
    unknown, nearest = answers(known, fresh, cells + 3)
    np.testing.assert_array_equal(unknown, by_name)
    assert set(nearest) == {1}
    empty, _ = answers(known, fresh, cells + 2)
    assert empty.tolist() == [0] * 5
    zeros, _ = answers(known, np.zeros((1, 3)), [0])
    assert zeros.tolist() == [0]


def test_domains_come_and_go_and_lie_in_a_file(known, tmp_path):
    one, two = known.of_domains(["toys"]), known.of_domains(["dvd", "books"])
    known = two.with_domains(one)
    known.save(tmp_path / "familiarity.npz")
    read = Familiarity.load(tmp_path / "familiarity.npz")
    assert read.domains == ("dvd", "books", "toys")
    fresh, cells = clouds(5, [0, 0, 3])
    found, nearest = answers(read, fresh, cells + 3)
    assert set(nearest) == {0}
    np.testing.assert_array_equal(found, next(answers(known, fresh, cells)))
    found, nearest = answers(read.of_domains(["garden", "dvd"]), fresh, cells)
    assert found.tolist() == [0] * 5
    assert set(nearest) == {1}


class Backbone:
    """What is asked of an encoder: a table of word embeddings."""

    class token_embedding:  # noqa: N801
        embeddings = ops.convert_to_tensor(np.array([[9, 9], [1, 0], [3, 4]], "float32"))


def test_mean_word_embeddings_in_a_graph_and_of_packed_texts():
    inputs = {
        "token_ids": np.array([[1, 2, 0], [2, 0, 0]]),
        "padding_mask": np.array([[1, 1, 0], [1, 0, 0]]),
    }
    expected = [[2, 2], [3, 4]]
    np.testing.assert_allclose(ops.convert_to_numpy(word_average(Backbone, inputs)), expected)
    packed, offsets = np.array([2, 1, 2]), np.array([0, 1, 3])
    np.testing.assert_allclose(word_averages(Backbone, packed, offsets, [1, 0]), expected)
    assert word_averages(Backbone, packed, offsets, []).shape == (0, 2)
