"""Where memory runs out half as many texts are computed at a time, and as much is learned."""

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from easymft.config import Optimizer, Phase
from easymft.devices.distribution import Distribution
from easymft.devices.faults import NoRoomError
from easymft.errors import InputError
from easymft.methods import session as module
from easymft.methods.checkpoint import Checkpoint
from easymft.methods.trainer import Trainer, TrainingTexts
from easymft.models import AdaptedTextClassifier, TextClassifier
from tests.models.tiny import NUM_CLASSES, tiny_backbone, tokenized

TEXTS, BATCH, EPOCHS = 16, 4, 2  # 4 steps an epoch
TOKENS = tokenized(TEXTS, num_domains=2)
FULL = tf.errors.ResourceExhaustedError(
    None, None, "Graph execution error:\n\nOOM when allocating tensor with shape[8]\n\tat x"
)


@pytest.fixture(autouse=True)
def eagerly():
    """Tracing would take most of a test's time."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def short_legs(monkeypatch):
    """Legs of two steps, with a checkpoint after each."""
    monkeypatch.setattr(module, "CHUNK_STEPS", 2)
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)


def build(dropout=0.0):
    keras.utils.set_random_seed(7)
    return TextClassifier(tiny_backbone(num_layers=1, dropout=dropout), NUM_CLASSES, 2, dropout=0.0)


def failing_fit(monkeypatch, failing, error=FULL, spoil=True):
    """Let the calls of `fit` with these numbers run out of memory in the middle of a leg."""
    calls, fit = [], keras.Model.fit

    def short_fit(model, *args, **kwargs):
        calls.append(1)
        if len(calls) - 1 in failing:
            if spoil:  # what a step has written before it failed
                model.set_weights([weight + 1 for weight in model.get_weights()])
            raise error
        return fit(model, *args, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", short_fit)
    return calls


def train(folder, model=None, on_chunk=None, **settings):
    model = model or build()
    phase = Phase(**{"epochs": EPOCHS, "learning_rate": 0.01, "batch_size": BATCH, **settings})
    weights = np.random.default_rng(2).choice([0.0, 0.3, 1.1], TEXTS)
    trainer = Trainer(model, phase, Optimizer(), seed=5)
    texts = TrainingTexts(TOKENS, np.arange(TEXTS), weights)
    history = trainer.run("all", texts, Checkpoint(folder / "state"), on_chunk)
    return trainer, history


def assert_equal(model, other, tolerance):
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=tolerance)


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["copy", "parts"])
def test_a_training_without_room_begins_anew_in_more_parts(tmp_path, monkeypatch, caplog, kind):
    def model():
        made = build(dropout=0.2)
        return made if kind == "copy" else AdaptedTextClassifier.of_meta_learner(made, 2, seed=1)

    expected, whole = train(tmp_path / "a", model(), gradient_accumulation_steps=4)
    with monkeypatch.context() as patch:
        failing_fit(patch, {0, 1})
        trainer, history = train(tmp_path / "b", model())
    assert trainer.parts == 4
    assert trainer.phase.gradient_accumulation_steps == 1  # the recipe's
    assert history[-1]["step"] == int(trainer.model.optimizer.iterations) == EPOCHS * 4
    assert history == whole
    # Dropout draws as it would have, too.
    assert_equal(trainer.model, expected.model, 0)
    assert warnings(caplog) == [
        "all: no memory for 4 texts at a time (OOM when allocating tensor with shape[8]); going on "
        "with 2, and a step still has 4.",
        "all: no memory for 2 texts at a time (OOM when allocating tensor with shape[8]); going on "
        "with 1, and a step still has 4.",
    ]


@pytest.mark.long
@pytest.mark.parametrize("error", [FULL, MemoryError("no more")])
def test_it_goes_back_to_the_last_checkpoint(tmp_path, monkeypatch, caplog, short_legs, error):
    expected, whole = train(tmp_path / "a")
    told = []
    with monkeypatch.context() as patch:
        # The second leg, then the next but one, in two parts.
        calls = failing_fit(patch, {1, 3}, error)
        trainer, history = train(tmp_path / "b", on_chunk=told.append)
    assert len(calls) == 4 + 2
    assert trainer.parts == 4
    assert [entry["step"] for entry in history] == [2, 4, 6, 8]
    assert told == history
    # The moments and the schedule are those of the steps that were done, whatever their parts.
    assert_equal(trainer.model, expected.model, 1e-6)
    for one, other in zip(history, whole, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert np.abs(trainer.model.get_weights()[0] - build().get_weights()[0]).max() > 1e-2
    assert len(warnings(caplog)) == 2


@pytest.mark.long
def test_what_is_told_once_is_not_told_again(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_STEPS", 2)  # and no checkpoint: all legs are done again
    told = []
    failing_fit(monkeypatch, {3})
    _, history = train(tmp_path, on_chunk=told.append)
    assert [entry["step"] for entry in told] == [2, 4, 6, 8]
    assert [entry["step"] for entry in history] == [2, 4, 6, 8]


@pytest.mark.long
def test_a_killed_training_goes_on_in_as_many_parts(tmp_path, monkeypatch, short_legs):
    expected, _ = train(tmp_path / "a")
    with monkeypatch.context() as patch:
        failing_fit(patch, {1})
        fit, legs = keras.Model.fit, []

        def dying_fit(model, *args, **kwargs):
            legs.append(1)
            if len(legs) == 4:
                raise KeyboardInterrupt
            return fit(model, *args, **kwargs)

        patch.setattr(keras.Model, "fit", dying_fit)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "b")
    assert Checkpoint(tmp_path / "b/state").parts == 2
    trainer, history = train(tmp_path / "b")
    assert trainer.parts == 2
    assert history[-1]["step"] == EPOCHS * 4
    assert_equal(trainer.model, expected.model, 1e-6)


@pytest.mark.long
def test_later_trainings_keep_to_what_there_was_room_for(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        failing_fit(patch, {0})
        trainer, _ = train(tmp_path)
    Checkpoint(tmp_path / "state").discard()
    calls = failing_fit(monkeypatch, set())
    texts = TrainingTexts(TOKENS, np.arange(TEXTS))
    assert trainer.run("more", texts, Checkpoint(tmp_path / "state"))[-1]["step"] == EPOCHS * 4
    assert trainer.parts == 2
    assert len(calls) == EPOCHS


def test_one_text_that_does_not_fit_is_an_input_error(tmp_path, monkeypatch):
    calls = failing_fit(monkeypatch, set(range(9)))
    words = (
        r"`backbone.max_length`: no memory for a step of one text at a time \(OOM when.*Received"
    )
    with pytest.raises(InputError, match=words):
        train(tmp_path, batch_size=6)
    assert len(calls) == 4  # of 6, 3, 2 and 1 texts at a time


def test_replicas_that_share_a_batch_stop(tmp_path, monkeypatch):
    monkeypatch.setattr(Distribution, "replicas", 2)
    calls = failing_fit(monkeypatch, {0})
    with pytest.raises(NoRoomError, match="OOM when allocating"):
        train(tmp_path)
    assert len(calls) == 1


def test_other_errors_are_raised_as_they_are(tmp_path, monkeypatch):
    failing_fit(monkeypatch, {0}, ValueError("a shape is wrong"))
    with pytest.raises(ValueError, match="a shape is wrong"):
        train(tmp_path)
