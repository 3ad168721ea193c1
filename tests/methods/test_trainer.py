"""Steps in parts, LoRA, and one traced step for all domains."""

import keras
import numpy as np
import pytest

from easymft.config import Optimizer, Phase
from easymft.data.batches.batches import Batches
from easymft.data.batches.masked import Masking
from easymft.methods import session as module
from easymft.methods.checkpoint import Checkpoint
from easymft.methods.trainer import Trainer, TrainingTexts
from easymft.models import (
    AdaptedTextClassifier,
    MaskedLanguageModel,
    MFTTextClassifier,
    TextClassifier,
)
from tests.models.tiny import NUM_CLASSES, tiny_backbone, tokenized

TEXTS, BATCH, EPOCHS = 22, 4, 2  # the last batch of an epoch has 2 texts, one of 3 parts none
TOKENS = tokenized(TEXTS, num_domains=2)


def mft():
    keras.utils.set_random_seed(7)
    # Nothing to draw: of two domains the other one is the only wrong one.
    return MFTTextClassifier(
        tiny_backbone(num_layers=1), NUM_CLASSES, 2, dropout=0.0, corruption="other", seed=1
    )


def masked(dropout=0.0):
    keras.utils.set_random_seed(7)
    return MaskedLanguageModel(tiny_backbone(num_layers=1, dropout=dropout))


def train(folder, model, **settings):
    keras.utils.set_random_seed(1)
    phase = Phase(**{"epochs": EPOCHS, "learning_rate": 0.01, "batch_size": BATCH, **settings})
    weights = np.random.default_rng(2).choice([0.0, 0.3, 1.1], TEXTS)
    trainer = Trainer(model, phase, Optimizer(), seed=5)
    texts = TrainingTexts(TOKENS, np.arange(TEXTS), weights)
    if isinstance(model, MaskedLanguageModel):
        hiding = Masking(mask_id=1, special_ids=(0, 1), vocabulary_size=20, rate=0.3)
        texts = TrainingTexts(TOKENS, np.arange(TEXTS), masking=hiding)
    history = trainer.run("all", texts, Checkpoint(folder / "state"))
    return trainer, history, model.get_weights()


def assert_equal(weights, others, tolerance):
    for one, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@pytest.mark.long
@pytest.mark.parametrize("build", [mft, masked])
def test_steps_in_parts_learn_what_whole_steps_learn(tmp_path, build):
    _, history, weights = train(tmp_path, build())
    trainer, in_parts, others = train(tmp_path, build(), gradient_accumulation_steps=3)
    assert_equal(weights, others, 1e-6)
    assert int(trainer.model.optimizer.iterations) == in_parts[-1]["step"] == EPOCHS * 6
    for one, other in zip(history, in_parts, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    # Far from where they began, or the parts could differ unseen.
    assert np.abs(weights[0] - build().get_weights()[0]).max() > 1e-2


@pytest.mark.long
def test_soft_targets_are_taught_by_cross_entropy_with_them(tmp_path):
    keras.utils.set_random_seed(7)
    model = TextClassifier(tiny_backbone(num_layers=1), NUM_CLASSES, 2, dropout=0.0)
    random = np.random.default_rng(3)
    targets, weights = random.dirichlet([1, 1], TEXTS), random.uniform(0, 2, TEXTS)
    rows = np.arange(TEXTS)
    batches = Batches(TOKENS, rows, BATCH)
    trainer = Trainer(model, Phase(epochs=1, batch_size=TEXTS), Optimizer(), seed=5, soft=True)
    logits = batches.in_input_order(model.predict(batches.to_keras(), verbose=0))["logits"]
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = (weights * -(targets * log_probabilities).sum(axis=1)).mean()
    texts = TrainingTexts(TOKENS, rows, weights, rows, targets=targets)
    history = trainer.run("soft", texts, Checkpoint(tmp_path / "state"))
    assert history[-1]["loss"] == pytest.approx(expected, rel=1e-5)
    # The labels of dev texts are classes still.
    after = batches.in_input_order(model.predict(batches.to_keras(), verbose=0))["logits"]
    right = after.argmax(axis=1) == TOKENS.labels
    by_domain = [right[TOKENS.domains == domain].mean() for domain in (0, 1)]
    assert history[-1]["dev_average_accuracy"] == pytest.approx(np.mean(by_domain))


def test_parts_make_up_the_batch():
    whole = Batches(TOKENS, np.arange(TEXTS), BATCH, seed=1)
    parts = Batches(TOKENS, np.arange(TEXTS), BATCH, seed=1, parts=3).span(4, 6)
    assert len(parts) == 6
    for step in (4, 5):
        inputs, labels = whole.span(4, 6)[step - 4]
        pieces = [parts[3 * (step - 4) + part] for part in range(3)]
        sizes = {4: [2, 1, 1], 5: [1, 1, 0]}[step]
        assert [len(piece[1]) for piece in pieces] == sizes
        assert sorted(labels) == sorted(np.concatenate([piece[1] for piece in pieces]))
        for size, (piece, _) in zip(sizes, pieces, strict=True):
            assert piece["token_ids"].shape[1] == inputs["token_ids"].shape[1]
            np.testing.assert_allclose(piece["share"], [3 * size / sum(sizes)] * size)


@pytest.mark.long
@pytest.mark.parametrize("kind", [pytest.param("copy", marks=pytest.mark.slow), "parts", "masked"])
def test_a_training_killed_in_a_phase_in_parts_goes_on(tmp_path, monkeypatch, kind):
    def build():
        if kind == "masked":
            return masked(dropout=0.2)
        keras.utils.set_random_seed(7)
        model = TextClassifier(tiny_backbone(num_layers=1, dropout=0.2), NUM_CLASSES)
        return model if kind == "copy" else AdaptedTextClassifier.of_meta_learner(model, 2, seed=1)

    _, _, weights = train(tmp_path / "whole", build(), gradient_accumulation_steps=2)
    monkeypatch.setattr(module, "CHUNK_STEPS", 2)
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    chunks, fit = [], keras.Model.fit

    def dying_fit(model, *args, **kwargs):
        chunks.append(1)
        if len(chunks) == 5:
            raise KeyboardInterrupt
        return fit(model, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "fit", dying_fit)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "killed", build(), gradient_accumulation_steps=2)
    _, _, others = train(tmp_path / "killed", build(), gradient_accumulation_steps=2)
    assert_equal(weights, others, 1e-6)


@pytest.mark.long
def test_one_traced_step_serves_all_domains(tmp_path):
    traces = []

    class Counting(TextClassifier):
        def compute_loss(self, *args, **kwargs):
            traces.append(1)
            return super().compute_loss(*args, **kwargs)

    model = Counting(tiny_backbone(num_layers=1), NUM_CLASSES, dropout=0.0)
    phase = Phase(epochs=1, learning_rate=0.01, batch_size=4)
    trainer = Trainer(model, phase, Optimizer(), seed=5)
    start, counts = model.get_weights(), []
    for domain in range(2):
        model.set_weights(start)
        rows = np.flatnonzero(TOKENS.domains == domain)
        trainer.run(str(domain), TrainingTexts(TOKENS, rows), Checkpoint(tmp_path / "state"))
        counts.append(len(traces))
    assert counts[0] == counts[1]


def selecting(folder, monkeypatch, accuracies):
    """Train three epochs whose dev accuracies are given; returns weights, and those after each."""
    after, looks = [], iter(accuracies)

    def evaluate(model, *args, **kwargs):
        after.append(model.get_weights())
        return {"loss": 1.0, "average_accuracy": next(looks)}

    keras.utils.set_random_seed(7)
    model = TextClassifier(tiny_backbone(num_layers=1), NUM_CLASSES, dropout=0.0)
    phase = Phase(epochs=3, learning_rate=0.01, batch_size=8, select_best_on_dev=True)
    texts = TrainingTexts(TOKENS, np.arange(16), dev_rows=np.arange(16, 22))
    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "evaluate", evaluate)
        checkpoint = Checkpoint(folder / "state")
        trainer = Trainer(model, phase, Optimizer(), seed=5)
        trainer.run("all", texts, checkpoint)
    checkpoint.discard()
    assert list(folder.iterdir()) == []
    return model.get_weights(), after


@pytest.mark.long
@pytest.mark.parametrize(
    ("accuracies", "best"), [([0.5, 0.8, 0.7], 1), ([0.8, 0.8, 0.1], 0), ([0.1, 0.2, 0.3], 2)]
)
def test_the_epoch_that_did_best_on_dev_is_kept_the_first_of_equals(
    tmp_path, monkeypatch, accuracies, best
):
    weights, after = selecting(tmp_path, monkeypatch, accuracies)
    assert_equal(weights, after[best], 0)
    for other in set(range(3)) - {best}:
        assert any((a != b).any() for a, b in zip(after[other], after[best], strict=True))


@pytest.mark.long
def test_the_best_epoch_outlives_a_kill(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0)
    whole, after = selecting(tmp_path, monkeypatch, [0.9, 0.5, 0.6])
    # Dies in the third look, after the state of two epochs was saved.
    calls = iter([0.9, 0.5, None])

    def looks():
        for accuracy in calls:
            if accuracy is None:
                raise KeyboardInterrupt
            yield accuracy

    with pytest.raises(KeyboardInterrupt):
        selecting(tmp_path, monkeypatch, looks())
    again, _ = selecting(tmp_path, monkeypatch, [0.6])
    assert_equal(whole, after[0], 0)
    assert_equal(again, whole, 1e-6)
