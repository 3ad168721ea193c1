from concurrent.futures import ThreadPoolExecutor

import keras
import keras_hub
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easymft.data.batches.batches import Batches, batch_plan
from easymft.data.batches.tokenized import TokenizedTexts


def _texts(lengths, max_length=16, seed=0):
    """Random texts of these lengths (2 to max_length); even rows are pairs."""
    random = np.random.default_rng(seed)
    lengths = np.asarray(lengths)
    offsets = np.concatenate([[0], lengths.cumsum()])
    token_ids = random.integers(5, 20, offsets[-1]).astype(np.int32)
    token_ids[offsets[:-1]] = 2
    is_pair = np.arange(len(lengths)) % 2 == 0
    return TokenizedTexts(
        token_ids=token_ids,
        offsets=offsets,
        second_start=np.where(is_pair, lengths // 2, lengths).astype(np.int32),
        labels=random.integers(0, 2, len(lengths)).astype(np.int32),
        domains=(np.arange(len(lengths)) % 3).astype(np.int32),
        max_length=max_length,
    )


def _mixed(count=50):
    return _texts(np.random.default_rng(1).integers(2, 17, count))


def _classifier(seed=0):
    """A tiny BERT with one class head, float32, no dropout."""
    keras.utils.set_random_seed(seed)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_heads=2,
        hidden_dim=4,
        intermediate_dim=8,
        dropout=0.0,
        max_sequence_length=16,
        dtype="float32",
    )
    inputs = {**backbone.input, "domain": keras.Input((), dtype="int32", name="domain")}
    logits = keras.layers.Dense(2)(backbone(backbone.input)["pooled_output"])
    model = keras.Model(inputs, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    return model


def _same(one, other):
    keras.tree.map_structure(np.testing.assert_array_equal, one, other)


lengths_lists = st.lists(st.integers(2, 40), min_size=1, max_size=80)


@settings(max_examples=60, deadline=None)
@given(lengths_lists, st.integers(1, 12), st.none() | st.integers(0, 2**40), st.integers(0, 9))
def test_a_plan_has_every_text_once_in_batches_of_one_size(lengths, batch_size, seed, epoch):
    plan = batch_plan(np.array(lengths), batch_size, seed, epoch)
    assert sorted(np.concatenate(plan)) == list(range(len(lengths)))
    assert all(len(batch) == batch_size for batch in plan[:-1])
    assert 1 <= len(plan[-1]) <= batch_size
    again = batch_plan(np.array(lengths), batch_size, seed, epoch)
    for one, other in zip(plan, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_plan_without_a_seed_goes_from_long_to_short():
    plan = batch_plan(np.array([3, 9, 5, 9, 2]), 2, None)
    assert [batch.tolist() for batch in plan] == [[1, 3], [2, 0], [4]]


def test_a_seeded_plan_differs_by_seed_and_epoch_and_sorts_within_windows():
    lengths = np.random.default_rng(0).integers(2, 500, 3201)
    plans = {
        key: np.concatenate(batch_plan(lengths, 16, *key)).tolist()
        for key in ((1, 0), (1, 1), (2, 0))
    }
    assert len({tuple(order) for order in plans.values()}) == 3
    spread = [np.ptp(lengths[batch]) for batch in batch_plan(lengths, 16, 1)[:-1]]
    # 50 batches share a window of 800 texts: a batch spans about a fiftieth of the lengths.
    assert np.median(spread) < 500 / 25
    firsts = [lengths[batch[0]] for batch in batch_plan(lengths, 16, 1)]
    assert (np.diff(firsts) > 0).any()
    assert (np.diff(firsts) < 0).any()


@pytest.mark.parametrize(("count", "window"), [(3, 1), (7, 1), (8, 2), (20, 5), (1000, 50)])
def test_a_window_is_a_quarter_of_an_epoch_at_most(count, window):
    # Lengths differ, so sorting a window leaves only one way to cut it into batches.
    lengths = np.arange(4 * count)
    order = np.random.Generator(np.random.PCG64([1, 0])).permutation(4 * count)
    batches = {tuple(sorted(batch)) for batch in batch_plan(lengths, 4, 1)}
    for start in range(0, 4 * count, 4 * window):
        texts = sorted(order[start : start + 4 * window])
        assert batches >= {tuple(texts[i : i + 4]) for i in range(0, len(texts), 4)}


def test_a_batch_holds_the_texts_padded_to_the_bucket():
    tokens = TokenizedTexts(
        token_ids=np.array([2, 7, 3, 2, 8, 9, 3, 6, 3, 2, 3], np.int32),
        offsets=np.array([0, 3, 9, 11]),
        second_start=np.array([3, 4, 2], np.int32),
        labels=np.array([0, 1, 1], np.int32),
        domains=np.array([2, 0, 1], np.int32),
        max_length=10,
        pad_id=1,
    )
    batches = Batches(tokens, [1, 2], 2, buckets=(4, 8, 16), sample_weight=[0.5, 2.0])
    inputs, labels, weights = batches[0]
    expected = {
        "token_ids": [[2, 8, 9, 3, 6, 3, 1, 1], [2, 3, 1, 1, 1, 1, 1, 1]],
        "padding_mask": [[1] * 6 + [0] * 2, [1] * 2 + [0] * 6],
        "segment_ids": [[0, 0, 0, 0, 1, 1, 0, 0], [0] * 8],
        "domain": [0, 1],
    }
    assert {name: array.tolist() for name, array in inputs.items()} == expected
    assert (labels.tolist(), weights.tolist()) == ([1, 1], [0.5, 2.0])
    assert {array.dtype.name for array in inputs.values()} == {"int32"}
    assert (labels.dtype.name, weights.dtype.name) == ("int32", "float32")
    assert len(Batches(tokens, [1, 2], 2)[0]) == 2


@pytest.mark.parametrize(
    ("buckets", "width"), [((6,), 6), ((4, 8), 8), ((12,), 10), ((4,), 10), ((), 10)]
)
def test_width_is_the_smallest_bucket_up_to_the_maximum(buckets, width):
    inputs, _ = Batches(_texts([6, 3], max_length=10), [0, 1], 2, buckets=buckets)[0]
    assert inputs["token_ids"].shape == (2, width)


def test_domains_may_be_replaced():
    batches = Batches(_texts([4, 3, 2]), [1, 2], 2, domains=[7, 8])
    np.testing.assert_array_equal(batches[0][0]["domain"], [7, 8])


def test_targets_take_the_place_of_labels():
    targets = np.array([[0.25, 0.75], [1.0, 0.0]])
    batches = Batches(_texts([4, 3, 2]), [1, 2], 2, targets=targets)
    assert batches[0][1].dtype == np.float32
    np.testing.assert_array_equal(batches.span(0, 1)[0][1], targets)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is about tf.data")
def test_tf_dataset_says_how_many_classes_targets_have():
    batches = Batches(_texts([4, 3, 2]), [1, 2], 2, targets=np.eye(2))
    assert batches.as_tf_dataset().element_spec[1].shape.as_list() == [None, 2]


def test_a_span_goes_on_with_the_same_batches():
    whole = Batches(_mixed(), np.arange(50), 8, seed=3, buckets=(4, 8, 16)).span(0, 21)
    assert whole.steps_per_epoch == 7
    rest = whole.span(5, 17)
    assert len(rest) == 12
    for index in range(12):
        _same(rest[index], whole[5 + index])
    epochs = [
        np.concatenate([whole._texts(step) for step in range(first, first + 7)])
        for first in (0, 7, 14)
    ]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])
    with pytest.raises(IndexError):
        rest[12]


def test_shards_make_up_the_whole_batch_at_its_width():
    whole = Batches(_mixed(51), np.arange(51), 8, seed=3, sample_weight=np.arange(51))
    part = whole.span(2, 7)
    for step in range(5):
        parts = [part.shard(step, number, 3) for number in range(3)]
        joined = keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
        inputs, labels, weights = whole[2 + step]
        order, expected = np.argsort(joined[2]), np.argsort(weights)
        for name, array in inputs.items():
            np.testing.assert_array_equal(joined[0][name][order], array[expected])
        np.testing.assert_array_equal(joined[1][order], labels[expected])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rows": []}, "`rows` must name"),
        ({"batch_size": 0}, "`batch_size` must be"),
        ({"sample_weight": [1.0]}, r"`sample_weight`.*shape \(3,\)"),
        ({"domains": [1]}, "`domains` must"),
        ({"targets": np.eye(2)}, "`targets` must"),
        ({"start": 3, "stop": 2}, "`start` must"),
    ],
)
def test_arguments_are_checked(arguments, words):
    with pytest.raises(ValueError, match=words):
        Batches(_texts([2, 3, 4]), **{"rows": [0, 1, 2], "batch_size": 3, **arguments})


def test_in_input_order():
    tokens = _mixed()
    rows = np.random.default_rng(2).permutation(50)[:30]
    for seed in (None, 1):
        batches = Batches(tokens, rows, 8, seed=seed)
        seen = np.concatenate([batches[step][0]["token_ids"][:, 1] for step in range(4)])
        expected = tokens.token_ids[tokens.offsets[rows] + 1]
        np.testing.assert_array_equal(batches.in_input_order({"x": seen})["x"], expected)
    for part in (batches.span(0, 3), batches.span(1, 5)):
        with pytest.raises(ValueError, match="one whole epoch"):
            part.in_input_order(seen)


@pytest.mark.long
def test_predict_and_evaluate_on_buckets_equal_those_on_the_longest_padding():
    tokens, model = _mixed(), _classifier()
    rows = np.arange(50)[::-1]
    bucketed = Batches(tokens, rows, 8, buckets=(4, 8, 12, 16))
    padded = Batches(tokens, rows, 50, buckets=())
    widths = {bucketed[step][0]["token_ids"].shape[1] for step in range(len(bucketed))}
    assert len(widths) > 2
    whole = padded.in_input_order(model.predict_on_batch(padded[0][0]))
    parts = bucketed.in_input_order(model.predict(bucketed.to_keras(), verbose=0))
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    # The last batch is smaller; Keras weights each batch by its texts.
    np.testing.assert_allclose(
        model.evaluate(bucketed.to_keras(), verbose=0), model.test_on_batch(*padded[0]), atol=1e-6
    )


@pytest.mark.long
def test_fit_on_buckets_equals_fit_on_the_longest_padding():
    losses, weights = [], []
    for buckets in ((4, 8, 12, 16), ()):
        model = _classifier()
        batches = Batches(_mixed(), np.arange(50), 8, seed=1, buckets=buckets)
        history = model.fit(
            batches.span(0, 14).to_keras(), epochs=2, steps_per_epoch=7, shuffle=False, verbose=0
        )
        losses.append(history.history["loss"])
        weights.append(model.get_weights())
    assert losses[0][0] != losses[0][1]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-6)
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.long
def test_a_resumed_fit_ends_with_the_same_weights():
    batches = Batches(_mixed(), np.arange(50), 8, seed=1, buckets=(4, 8, 12, 16))
    never_killed, resumed = _classifier(), _classifier()
    never_killed.fit(batches.span(0, 14).to_keras(), shuffle=False, verbose=0)
    for start, stop in ((0, 3), (3, 9), (9, 14)):
        resumed.fit(batches.span(start, stop).to_keras(), shuffle=False, verbose=0)
    for one, other in zip(never_killed.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-7)


@pytest.mark.long
def test_feed_survives_a_first_pair_of_batches_of_one_width():
    tokens = _texts([16] * 8 + [3] * 8)
    batches = Batches(tokens, np.arange(16), 4, buckets=(4, 16))
    widths = [batches[step][0]["token_ids"].shape[1] for step in range(4)]
    assert widths == [16, 16, 4, 4]
    assert _classifier().predict(batches.to_keras(), verbose=0).shape == (16, 2)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is about tf.data")
def test_tf_dataset_gives_the_batches_with_open_shapes():
    batches = Batches(_mixed(), np.arange(50), 8, seed=1, sample_weight=np.ones(50))
    dataset = batches.as_tf_dataset()
    assert dataset.cardinality() == 7
    assert dataset.options().autotune.enabled is False
    assert dataset.element_spec[0]["token_ids"].shape.as_list() == [None, None]
    for one, other in zip(dataset.as_numpy_iterator(), batches, strict=True):
        _same(one, other)


def test_threads_read_the_same_batches():
    one, other = (Batches(_mixed(), np.arange(50), 8, seed=1).span(0, 70) for _ in range(2))
    steps = np.random.default_rng(0).permutation(70).tolist()
    with ThreadPoolExecutor(8) as pool:
        for step, batch in zip(steps, pool.map(one.__getitem__, steps), strict=True):
            _same(batch, other[step])
