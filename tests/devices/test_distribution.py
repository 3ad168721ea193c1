"""Several replicas learn what one device learns from the same batches."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.backend.tensorflow import trainer

from easymft.data.batches.batches import Batches
from easymft.devices.distribution import Distribution
from easymft.devices.replicas import has_workers, repair_keras
from easymft.errors import InputError
from easymft.models import (
    AdversarialTextClassifier,
    MFTTextClassifier,
    TextClassifier,
    WarmupLinearDecay,
    adamw,
)
from easymft.models.inference import predict
from tests.models.tiny import NUM_CLASSES, tiny_backbone, tokenized

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
STEPS = 20
TEXTS, BATCH = 37, 8  # the last batch of an epoch has 5 texts, which divide by no number here


TOKENS = tokenized(TEXTS, num_domains=2)


@functools.cache  # a process is to have one strategy of a kind
def mirrored(replicas):
    if replicas == 1:
        return Distribution()
    devices = [f"CPU:{index}" for index in range(replicas)]
    # Not the collective operations for GPUs, which mix up several strategies of one process.
    return Distribution(
        tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())
    )


def train(distribution, optimizer, build, weights=None, steps=STEPS):
    """Weights and logs after so many steps of a model that `build` makes."""
    keras.utils.set_random_seed(1)
    with distribution.scope():
        model = build()
        model.compile(optimizer(), LOSS, jit_compile=False)
        feed = Batches(TOKENS, np.arange(TEXTS), BATCH, seed=3, sample_weight=weights)
        feed = feed.span(0, steps)
        logs = model.fit(feed.to_keras(), steps_per_epoch=steps, shuffle=False, verbose=0).history
        return model, {name: values[-1] for name, values in logs.items()}


def backbone(dropout=0.0):
    return tiny_backbone(dropout=dropout, num_layers=1)


def assert_equal_weights(one, other, tolerance):
    names = [v.path for v in one.trainable_variables]
    for name, a, b in zip(names, one.get_weights(), other.get_weights(), strict=False):
        np.testing.assert_allclose(a, b, atol=tolerance, rtol=0, err_msg=name)


def bert_adamw():
    return adamw(WarmupLinearDecay(1e-3, STEPS))


def sgd():
    """Unlike Adam it shows a gradient that is too large or too small by a factor."""
    return keras.optimizers.SGD(0.01)


CASES = {
    # Nothing to draw: of two domains the other one is the only wrong one.
    "as in runs": (bert_adamw, MFTTextClassifier, {"corruption": "other", "seed": 1}, True),
    "sgd": (sgd, TextClassifier, {}, True),
    "no weights": (sgd, TextClassifier, {}, False),
    "nonzero": (sgd, TextClassifier, {"loss_normalization": "nonzero"}, True),
    "adversarial": (sgd, AdversarialTextClassifier, {"ramp_steps": 10}, True),
    "corruption": (sgd, MFTTextClassifier, {"corruption": "other", "seed": 1}, True),
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("case", "replicas"),
    [
        pytest.param(case, replicas, marks=[] if quick else pytest.mark.slow)
        for case in CASES
        for replicas in ((2, 4) if case in ("as in runs", "no weights") else (2,))
        for quick in [(case, replicas) == ("as in runs", 2)]
    ],
)
def test_replicas_learn_what_one_device_learns(case, replicas):
    optimizer, kind, arguments, weighted = CASES[case]
    weights = np.random.default_rng(5).choice([0.0, 0.3, 1.1], TEXTS) if weighted else None

    def build():
        return kind(backbone(), NUM_CLASSES, 2, dropout=0.0, **arguments)

    model, logs = train(mirrored(1), optimizer, build, weights)
    other, other_logs = train(mirrored(replicas), optimizer, build, weights)
    assert_equal_weights(model, other, 1e-5)
    assert logs == pytest.approx(other_logs, abs=1e-4)


@pytest.mark.slow
def test_what_replicas_draw_differs_and_repeats():
    def build():
        return MFTTextClassifier(backbone(dropout=0.2), NUM_CLASSES, 2, seed=1)

    model, logs = train(mirrored(2), bert_adamw, build)
    again, _ = train(mirrored(2), bert_adamw, build)
    assert_equal_weights(model, again, 0)

    strategy = mirrored(2).strategy
    for state in model.random_states:
        first, second = (v.numpy() for v in strategy.experimental_local_results(state.value))
        assert first[0] != second[0]
        assert first[1] == second[1] == STEPS

    head, domains = model.corruption_heads[0], np.zeros(64, "int32")
    one, other = strategy.experimental_local_results(strategy.run(lambda: head.corrupt(domains)))
    assert 0 < np.mean(one.numpy() != other.numpy()) < 1

    # One device draws others, so only the course of the training can be the same.
    _, alone = train(mirrored(1), bert_adamw, build)
    assert logs["loss"] == pytest.approx(alone["loss"], rel=0.2)


@pytest.mark.slow
def test_a_saved_state_goes_on_with_what_each_replica_would_have_drawn(tmp_path):
    def build():
        return MFTTextClassifier(backbone(dropout=0.2), NUM_CLASSES, 2, seed=1)

    model, _ = train(mirrored(2), bert_adamw, build, steps=3)
    model.save_weights(tmp_path / "state.weights.h5")
    other, _ = train(mirrored(2), bert_adamw, build, steps=1)
    other.load_weights(tmp_path / "state.weights.h5")
    local = mirrored(2).strategy.experimental_local_results
    for one, two in zip(model.random_states, other.random_states, strict=True):
        for a, b in zip(local(one.value), local(two.value), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.slow
@pytest.mark.parametrize("texts", [1, TEXTS])
def test_predictions_and_metrics_are_those_of_one_device(texts):
    model = TextClassifier(backbone(), NUM_CLASSES, 2)
    rows = np.random.default_rng(1).permutation(TEXTS)[:texts]
    expected = predict(model, "", TOKENS, rows, batch_size=BATCH)["logits"]
    dev = Batches(TOKENS, rows, BATCH)
    model.compile(loss=LOSS)
    figures = model.evaluate(dev.to_keras(), verbose=0, return_dict=True)
    for replicas in (2, 4):
        with mirrored(replicas).scope():
            copy = TextClassifier(backbone(), NUM_CLASSES, 2)
            copy.set_weights(model.get_weights())
            logits = predict(copy, "", TOKENS, rows, batch_size=BATCH)["logits"]
            np.testing.assert_allclose(logits, expected, atol=1e-6)
            copy.compile(loss=LOSS)
            other = copy.evaluate(dev.to_keras(), steps=len(dev), verbose=0, return_dict=True)
            assert other == pytest.approx(figures, abs=1e-6)


@pytest.mark.slow
def test_plain_user_code_trains_in_a_scope():
    inputs, labels = Batches(TOKENS, np.arange(TEXTS), TEXTS, buckets=())[0]
    with mirrored(2).scope():
        model = MFTTextClassifier(backbone(), NUM_CLASSES, 2, seed=1)
        model.compile("adamw", LOSS)
    before = model.get_weights()
    history = model.fit(
        inputs, labels, sample_weight=np.ones(TEXTS), batch_size=BATCH, epochs=2, verbose=0
    ).history
    assert np.isfinite(history["loss"]).all()
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    assert model.predict(inputs, verbose=0)["logits"].shape == (TEXTS, NUM_CLASSES)


def test_one_device_is_no_strategy():
    assert Distribution.of("one_device").strategy is None
    assert Distribution.of("auto").strategy is None
    alone = Distribution()
    assert (alone.replicas, alone.workers, alone.is_chief) == (1, 1, True)
    assert alone.all_reduce_sum(3) == 3
    assert not has_workers(None)
    assert not has_workers(mirrored(2).strategy)


@pytest.mark.long
def test_a_keras_that_leaves_the_random_states_of_replicas_alike_is_refused(monkeypatch):
    monkeypatch.setattr(
        TextClassifier,
        "make_train_function",
        lambda self, force=False: keras.Model.make_train_function(self, force),
    )
    with pytest.raises(RuntimeError, match="all replicas would draw alike"):
        train(mirrored(2), sgd, lambda: TextClassifier(backbone(0.1), NUM_CLASSES, 2), steps=1)


@pytest.mark.parametrize("name", ["reduce_per_replica", "_maybe_symbolic_build"])
def test_a_keras_that_cannot_be_mended_is_named(name, monkeypatch):
    homes = (trainer, *keras.Model.__mro__)
    home = next(home for home in homes if name in vars(home))
    monkeypatch.delattr(home, name)
    repair_keras()  # outside a scope nothing is touched
    with mirrored(2).scope(), pytest.raises(RuntimeError, match=f"has no `{name}`, which easymft"):
        repair_keras()


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "environment", "words"),
    [
        ("multi_worker", "", "needs the environment variable TF_CONFIG"),
        ("multi_worker", "{", "TF_CONFIG.*is no JSON"),
        ("auto", "[]", "TF_CONFIG.*must be an object"),
        ("tpu", "", "distribution.tpu.*cannot be reached"),
    ],
)
def test_what_the_machine_cannot_do_is_said(name, environment, words, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", environment)
    with pytest.raises(InputError, match=words):
        Distribution.of(name)
