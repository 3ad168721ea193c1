"""Training that is asked to stop saves, says so, and goes on to the same numbers."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from easymft import preemption
from easymft.config import Optimizer, Phase
from easymft.files import read_json
from easymft.methods.checkpoint import Checkpoint
from easymft.methods.trainer import Trainer, TrainingTexts
from easymft.models import MFTTextClassifier
from easymft.models.inference import predict
from easymft.preemption import Stopped
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, tiny_backbone, tokenized
from tests.stopping import ask, forget, listening  # noqa: F401 (a fixture)


@pytest.fixture(autouse=True)
def eagerly():
    """Tracing would take most of a test's time."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def train(checkpoint):
    """The history and last weights of a training with all that is random in it."""
    keras.utils.set_random_seed(3)
    model = MFTTextClassifier(
        tiny_backbone(dropout=0.2, num_layers=1), NUM_CLASSES, NUM_DOMAINS, seed=1
    )
    phase = Phase(epochs=3, learning_rate=0.01, batch_size=4)
    weights, dev_rows = np.linspace(0.5, 1.5, 20), np.arange(20, 30)
    texts = TrainingTexts(tokenized(30), np.arange(20), weights, dev_rows)
    history = Trainer(model, phase, Optimizer(), seed=5).run("all", texts, Checkpoint(checkpoint))
    return history, model.get_weights()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nobody stops."""
    tf.config.run_functions_eagerly(True)
    return train(tmp_path_factory.mktemp("whole") / "state")


@pytest.mark.long
@pytest.mark.parametrize(
    ("event", "step"),
    [
        ("on_train_batch_end", 4),
        pytest.param("on_test_batch_end", 10, marks=pytest.mark.slow),
    ],
)
def test_training_that_was_stopped_goes_on_to_the_same_numbers(
    whole, tmp_path, monkeypatch, event, step
):
    (history, weights), checkpoint = whole, tmp_path / "state"
    calls = []
    original = getattr(keras.callbacks.CallbackList, event)

    def asking(callbacks, batch, logs=None):
        calls.append(batch)
        if len(calls) == 4:
            ask()
        original(callbacks, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(keras.callbacks.CallbackList, event, asking)
        with pytest.raises(Stopped):
            train(checkpoint)
    assert len(calls) == 4
    assert read_json(checkpoint / "history.json")[-1]["step"] == step
    forget()

    other_history, other_weights = train(checkpoint)
    for one, other in zip(weights, other_weights, strict=True):
        np.testing.assert_array_equal(one, other)
    # Legs end elsewhere, and with them what Keras averages; what epochs end with is the same.
    ends = [
        {entry["step"]: entry["dev_loss"] for entry in curve if "dev_loss" in entry}
        for curve in (history, other_history)
    ]
    assert ends[0] == ends[1]
    assert list(ends[0]) == [5, 10, 15]


@pytest.mark.parametrize("inside", ["alone", "a training"])
def test_a_pass_over_texts_ends_after_the_batch(monkeypatch, inside):
    model = MFTTextClassifier(tiny_backbone(num_layers=1), NUM_CLASSES, NUM_DOMAINS)
    batches = []
    original = keras.callbacks.CallbackList.on_predict_batch_end

    def asking(callbacks, batch, logs=None):
        batches.append(batch)
        if batch == 1:
            ask()
        original(callbacks, batch, logs)

    monkeypatch.setattr(keras.callbacks.CallbackList, "on_predict_batch_end", asking)
    block = preemption.deferred() if inside == "a training" else contextlib.nullcontext()
    with block, pytest.raises(Stopped):
        predict(model, "pass", tokenized(30), np.arange(30), batch_size=4)
    assert batches == [0, 1]
