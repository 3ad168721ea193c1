"""Keras' `fit` of texts and a recipe's phase over all domains are one training."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from easymft import models
from easymft.config import METHODS
from easymft.config.loading import config_from_dict
from easymft.config.recipe import Adversary
from easymft.data.batches.tokenized import tokenized
from easymft.in_memory.corpus import all_train, labelled
from easymft.methods import phases
from easymft.methods.checkpoint import Checkpoint
from tests.models.keras_preset import write_keras_bert

LABELS, DOMAINS, EPOCHS, BATCH, RATE = ["bad", "good"], ["books", "dvd"], 2, 4, 0.01
RANDOM = np.random.default_rng(0)
X = {
    "text": [" ".join(RANDOM.choice([*"abcdef", "good"], n)) for n in RANDOM.integers(2, 9, 10)],
    "domain": [DOMAINS[code] for code in RANDOM.permutation(10) % 2],
}
Y = [LABELS[code] for code in RANDOM.permutation(10) % 2]
CLASSES = {
    "mix": models.TextClassifier,
    "mtl": models.MultiTaskTextClassifier,
    "adv": models.AdversarialTextClassifier,
    "mft": models.MFTTextClassifier,
}


@pytest.fixture
def eager():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def run_in(folder, trainer, title, texts, of=None):
    return trainer.run(title, texts, Checkpoint(folder / "state"))


def by_recipe(method, preset, folder):
    """What a run's stages `typicality` and `meta_fine_tune` make of the texts."""
    phase = {"epochs": EPOCHS, "batch_size": BATCH, "learning_rate": RATE}
    recipe = {"name": "same", "method": method, "seed": 5, "meta_fine_tune": phase}
    config = config_from_dict({**recipe, "fine_tune": {"epochs": 0}})
    corpus = labelled({"text": X["text"], "label": Y, "domain": X["domain"]})
    with tokenized(corpus, models.load_preprocessor(preset, 16)) as tokens:
        task = phases.Task(config, METHODS[method], tokens, all_train(tokens), 2, DOMAINS)
        scores = None
        if task.method.uses_typicality:
            encoder = models.TextClassifier(models.load_backbone(preset), 2, 2)
            scores = phases.score(task, encoder, task.splits)

        record = functools.partial(run_in, folder)
        keras.utils.set_random_seed(7)
        return phases.meta_fine_tune(task, models.load_backbone(preset), record, scores)[0]


def by_keras(method, preset):
    keras.utils.set_random_seed(7)
    own = {"ramp_steps": EPOCHS * 3, "strength": Adversary().strength} if method == "adv" else {}
    model = CLASSES[method].from_preset(preset, labels=LABELS, domains=DOMAINS, seed=5, **own)
    if method == "mft":
        model.adapt(X, Y)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(models.adamw(models.WarmupLinearDecay(RATE)), loss)
    start = model.get_weights()
    model.fit(X, Y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    assert max(np.abs(a - b).max() for a, b in zip(start, model.get_weights(), strict=True)) > 0.01
    return model


@pytest.mark.long
@pytest.mark.parametrize(
    "method", ["mft", *(pytest.param(m, marks=pytest.mark.slow) for m in ("mix", "mtl", "adv"))]
)
def test_the_same_seed_gives_the_same_weights(method, tmp_path, eager):
    preset = write_keras_bert(tmp_path / "preset")
    expected, model = by_recipe(method, preset, tmp_path), by_keras(method, preset)
    own = model.without_heads().get_weights()
    for one, other in zip(own, expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.slow
def test_so_do_parts_of_domains(tmp_path, eager):
    preset = write_keras_bert(tmp_path / "preset")
    own = {"epochs": EPOCHS, "batch_size": BATCH, "parts": "lora", "adapters": {"rank": 2}}
    config = config_from_dict({"name": "same", "seed": 5, "fine_tune": own})
    learner = models.TextClassifier.from_preset(preset, labels=LABELS, domains=DOMAINS, seed=5)
    corpus = labelled({"text": X["text"], "label": Y, "domain": X["domain"]})
    with tokenized(corpus, learner.preprocessor) as tokens:
        task = phases.Task(config, METHODS["mft"], tokens, all_train(tokens), 2, DOMAINS)
        record = functools.partial(run_in, tmp_path)
        expected, _ = phases.fine_tune_parts(task, learner, record)
    tuned = learner.fine_tune(X, Y, rank=2, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    for name, table in tuned.tables().items():
        np.testing.assert_allclose(table, expected.tables()[name], atol=1e-6)
    assert np.abs(tuned.tables()["head/kernels"]).max() > 1e-5
    assert tuned.domains == DOMAINS
    # A domain more, by its name; the others' answers are the same.
    more = tuned.add_domain(X["text"][:4], Y[:4], name="tools", epochs=1)
    np.testing.assert_array_equal(more.predict(X, verbose=0), tuned.predict(X, verbose=0))
    assert more.domains == [*DOMAINS, "tools"]
    assert more.remove_domain("books").domains == ["dvd", "tools"]
