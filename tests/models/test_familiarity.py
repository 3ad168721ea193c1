import numpy as np
import pytest
from keras import ops

from easymft.models.familiarity import LENGTHS, QUANTILES, Familiarity

PLACES = (np.arange(QUANTILES) + 0.5) / QUANTILES
# Words 1 to 3 point along an axis each, 4 between the first two; 0 is no word.
TABLE = np.array([[9, 9, 9], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], "float32")


def fit(texts, labels, codes, domains, classes, table=TABLE, **ignored):
    texts = [np.array(text) for text in texts]
    return Familiarity.fit(
        texts, np.array(labels), np.array(codes), domains, classes, table, **ignored
    )


def answers(known, texts, codes, table=TABLE):
    length = max(map(len, texts))
    ids = np.array([[*text, *[0] * (length - len(text))] for text in texts], "int32")
    inputs = {"token_ids": ids.reshape(len(texts), length)}
    inputs["padding_mask"] = np.array([[n < len(text) for n in range(length)] for text in texts])
    return map(ops.convert_to_numpy, known(table[inputs["token_ids"]], inputs, np.array(codes)))


def test_familiarity_worked_by_hand():
    # Each text is compared with the other of its class, and with the other class.
    known = fit([[1, 1], [4, 4], [2, 2], [2, 2]], [0, 0, 1, 1], [0, 0, 0, 0], ["a"], 2)
    # The mean of [1, 0, 0] and [1, 1, 0], and [0, 1, 0].
    expected = [[2 / 5**0.5, 1 / 5**0.5, 0], [0, 1, 0]]
    np.testing.assert_allclose(known.directions[0], expected, atol=1e-6)
    # cos to the other of its class: 1/sqrt 2, 1/sqrt 2, 1, 1; to the other class's centroid: 0 for
    # the first, 1/sqrt 2 for the second, 1/sqrt 5 for the last two.
    half = 0.5**0.5
    quantiles = np.quantile([half, half, 1, 1], PLACES)
    np.testing.assert_allclose(known.typicalities[0], [quantiles] * LENGTHS, atol=1e-6)
    # cos of the mean of words 1 and 4 with the first centroid is 1; of word 3 with either 0; of
    # word 1 2/sqrt 5 = 0.894.
    found, nearest = answers(known, [[1, 4], [3, 3], [1, 1]], [0, 0, 1])
    np.testing.assert_allclose(found, [1, 0, (quantiles <= 2 / 5**0.5).mean()], atol=1e-6)
    assert nearest.tolist() == [0, 0, 0]


def test_a_text_is_compared_with_texts_cut_to_as_many_words():
    # All texts begin with word 1; their whole is half word 1, half word 2.
    known = fit([[1, 1, 2, 2]] * 3, [0] * 3, [0] * 3, ["a"], 1)
    half = 0.5**0.5
    np.testing.assert_allclose(known.typicalities[0, 0], half, atol=1e-6)  # two words
    np.testing.assert_allclose(known.typicalities[0, 1:], 1, atol=1e-6)  # four and more
    # Two words 2 are as far from the centroid as two words 1; four of them are not as near as all.
    found, _ = answers(known, [[2, 2], [2] * 4, [1, 2] * 2, [1, 2] * 300], [0] * 4)
    assert found.tolist() == [1, 0, 1, 1]


def test_what_is_no_word_does_not_count():
    texts = [[3, 1, 1, 3], [3, 4, 4, 3], [3, 2, 2, 3], [3, 2, 2, 3]]
    known = fit(texts, [0, 0, 1, 1], [0] * 4, ["a"], 2, ignored=[3])
    plain = fit([text[1:3] for text in texts], [0, 0, 1, 1], [0] * 4, ["a"], 2)
    np.testing.assert_array_equal(known.directions, plain.directions)
    np.testing.assert_array_equal(known.typicalities, plain.typicalities)
    with_ends, _ = answers(known, [[3, 1, 4, 3]], [0])
    without, _ = answers(plain, [[1, 4]], [0])
    assert with_ends.tolist() == without.tolist()
    assert next(answers(known, [[3, 3]], [0])).tolist() == [0]  # a text without words


@pytest.fixture(scope="module")
def shops():
    """A table of 60 words, and texts of 5 to 40 words, 20 words a domain, of three domains."""
    random = np.random.default_rng(0)
    table = random.normal(size=(60, 8)).astype("float32")
    table += 2 * np.eye(8)[np.arange(60) // 20]

    def texts(count, domain):
        sizes = random.integers(5, 40, count)
        return [random.integers(20 * domain, 20 * domain + 20, size) for size in sizes]

    return table, texts


def test_texts_like_those_of_training_are_spread_evenly_and_strangers_are_at_zero(shops):
    table, texts = shops
    # Domain 0 has texts of words 0 to 19, domain 1 of 20 to 39, domain 2 none.
    training = [*texts(400, 0), *texts(400, 1)]
    codes = np.repeat([0, 1], 400)
    known = fit(training, codes * 0, codes, ["books", "dvd", "toys"], 1, table)
    fresh = [*texts(300, 0), *texts(300, 1)]
    codes = np.repeat([0, 1], 300)
    found, nearest = answers(known, fresh, codes, table)
    assert (nearest == codes).mean() > 0.99
    for code in (0, 1):
        shares = np.quantile(found[codes == code], [0.1, 0.5, 0.9])
        np.testing.assert_allclose(shares, [0.1, 0.5, 0.9], atol=0.12)
    packed = known.of_packed(table, fresh, codes)
    np.testing.assert_allclose(packed, found, atol=0.02)
    strange, _ = answers(known, texts(50, 2), np.repeat(3, 50), table)
    assert strange.max() < 0.05
    # Of no known domain it is the nearest; in one without texts nothing is familiar.
    unknown, _ = answers(known, fresh, codes * 0 + 3, table)
    by_name, _ = answers(known, fresh, nearest, table)
    np.testing.assert_array_equal(unknown, by_name)
    empty, _ = answers(known, fresh, codes * 0 + 2, table)
    assert set(empty) == {0}
    assert known.of_packed(table, [], codes[:0]).shape == (0,)


def test_domains_come_and_go_and_lie_in_a_file(tmp_path):
    texts = [[1, 1], [1, 4], [2, 2], [3, 2]]
    known = fit(texts, [0] * 4, [0, 0, 1, 1], ["books", "dvd"], 1, ignored=[0])
    known = known.of_domains(["dvd"]).with_domains(known.of_domains(["books"]))
    known.save(tmp_path / "familiarity.npz")
    read = Familiarity.load(tmp_path / "familiarity.npz")
    assert read.domains == ("dvd", "books")
    assert read.ignored == (0,)
    assert read.fingerprint() == known.fingerprint()
    assert read.fingerprint() != known.of_domains(["books", "dvd"]).fingerprint()
    found, nearest = answers(read, [[1, 1]], [2])
    assert nearest.tolist() == [1]
    found, nearest = answers(read.of_domains(["garden", "books"]), [[1, 1]], [0])
    assert found.tolist() == [0]
    assert nearest.tolist() == [1]
