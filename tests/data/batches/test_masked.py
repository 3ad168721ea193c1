"""Which tokens are hidden, and what batches of them hold."""

import keras
import numpy as np
import pytest

from easymft.data.batches.masked import MaskedBatches, Masking
from easymft.data.batches.tokenized import TokenizedTexts

PAD, START, END, MASK, SIZE = 0, 2, 3, 4, 1000
MASKING = Masking(MASK, (PAD, START, END, MASK), SIZE)


def batch(texts, length, width):
    """Texts of `length` tokens in a batch of a greater width."""
    tokens = np.random.default_rng(1).integers(5, SIZE, (texts, width)).astype(np.int32)
    tokens[:, 0], tokens[:, length - 1], tokens[:, length:] = START, END, PAD
    return tokens


@pytest.fixture(scope="module")
def hidden():
    tokens = batch(2000, 32, 40)
    return tokens, MASKING.hide(tokens, seed=5, step=7)


def test_a_share_of_the_words_is_chosen_and_no_special_token(hidden):
    tokens, (read, positions, told, used) = hidden
    # 15 % of 30 words is 4.5, rounded up; of 40 places 6, of which one stays empty.
    assert used.shape == (2000, 6)
    assert (used.sum(axis=1) == 5).all()
    places = np.where(used, positions, -1)
    for row, own in zip(places[:50], positions[:50], strict=True):
        chosen = row[row >= 0]
        assert len(set(chosen)) == 5
        assert ((chosen >= 1) & (chosen <= 30)).all()
        assert own[-1] == 0
    rows = np.nonzero(used)[0]
    np.testing.assert_array_equal(told[used], tokens[rows, positions[used]])
    # All other tokens are read as they stand.
    is_chosen = np.zeros(tokens.shape, bool)
    is_chosen[rows, positions[used]] = True
    np.testing.assert_array_equal(read[~is_chosen], tokens[~is_chosen])
    # Every place is chosen about as often as any other: of 2,000 a sixth, +- 4 standard errors.
    np.testing.assert_allclose(is_chosen[:, 1:31].mean(axis=0), 1 / 6, atol=4 * 0.0083)


def test_of_the_chosen_most_are_hidden_some_replaced_and_some_stay(hidden):
    _, (read, positions, told, used) = hidden
    shown = read[np.nonzero(used)[0], positions[used]]
    is_mask, stays = shown == MASK, shown == told[used]
    shares = is_mask.mean(), (~is_mask & ~stays).mean(), stays.mean()
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=4 * 0.004)  # of 10,000


def test_masks_go_by_seed_and_step_alone(hidden):
    tokens, first = hidden
    for one, other in zip(first, MASKING.hide(tokens, seed=5, step=7), strict=True):
        np.testing.assert_array_equal(one, other)
    for seed, step in ((5, 8), (6, 7)):
        assert (MASKING.hide(tokens, seed, step)[0] != first[0]).any()


def test_a_short_text_has_one_and_an_empty_one_none():
    tokens = np.array([[START, 9, END, PAD], [START, END, PAD, PAD]], np.int32)
    _, positions, told, used = MASKING.hide(tokens, 1, 1)
    assert used.tolist() == [[True], [False]]
    assert (positions[0, 0], told[0, 0]) == (1, 9)


def texts(count=11):
    lengths = np.random.default_rng(0).integers(3, 17, count)
    offsets = np.concatenate([[0], lengths.cumsum()])
    tokens = np.random.default_rng(1).integers(5, 20, offsets[-1]).astype(np.int32)
    tokens[offsets[:-1]], tokens[offsets[1:] - 1] = START, END
    labels = np.full(count, -1, np.int32)
    return TokenizedTexts(tokens, offsets, lengths.astype(np.int32), labels, labels * 0, 16)


def batches(**settings):
    masking = Masking(MASK, (PAD, START, END, MASK), 20, rate=0.3)
    return MaskedBatches(texts(), np.arange(11), 4, masking=masking, seed=3, **settings)


def test_weights_make_the_mean_of_slots_that_of_hidden_tokens():
    for inputs, told, weights in batches():
        assert inputs["mask_positions"].shape == told.shape == weights.shape
        assert {told.dtype.name, inputs["mask_positions"].dtype.name} == {"int32"}
        used = weights > 0
        losses = np.where(used, told, 99).astype(float)
        assert (weights * losses).mean() == pytest.approx(told[used].mean())


def test_parts_and_shards_make_up_the_whole_batch():
    whole, parts = batches().span(0, 3), batches(parts=2).span(0, 3)
    for step in range(3):
        pieces = [
            parts.shard(2 * step + part, number, 2) for part in range(2) for number in range(2)
        ]
        for piece in pieces:
            piece[0].pop("share")
        joined = keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *pieces)
        for one, other in zip(joined[1:], whole[step][1:], strict=True):
            np.testing.assert_array_equal(np.sort(one, axis=0), np.sort(other, axis=0))
        read, expected = joined[0]["token_ids"], whole[step][0]["token_ids"]
        assert sorted(map(tuple, read)) == sorted(map(tuple, expected))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is about tf.data")
def test_tf_dataset_gives_the_batches_with_open_shapes():
    dataset = batches().as_tf_dataset()
    assert dataset.element_spec[1].shape.as_list() == [None, None]
    for one, other in zip(dataset.as_numpy_iterator(), batches(), strict=True):
        keras.tree.map_structure(np.testing.assert_array_equal, one, other)
