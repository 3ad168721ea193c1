"""Texts without labels in a Keras model's `self_train`."""

import keras
import numpy as np
import pytest

from easymft.errors import InputError
from easymft.models import MFTTextClassifier, TextClassifier, TextEmbedder
from tests.layers import oracle
from tests.models.keras_preset import write_keras_bert

LABELS, DOMAINS = ["bad", "good"], ["books", "tools"]
RANDOM = np.random.default_rng(0)


def texts(count):
    return [" ".join(RANDOM.choice([*"abcdef", "good", "cafe"], 5)) for _ in range(count)]


# A third of books' labels is good, of tools' half.
X = {"text": texts(10), "domain": ["books"] * 6 + ["tools"] * 4}
Y = ["bad", "bad", "good"] * 2 + ["bad", "good"] * 2
BARE = {"text": texts(12), "domain": ["tools"] * 6 + ["books"] * 6}
OF_X, OF_BARE = (np.array([DOMAINS.index(d) for d in x["domain"]]) for x in (X, BARE))


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return write_keras_bert(tmp_path_factory.mktemp("preset"))


@pytest.fixture(autouse=True, scope="module")
def eager():
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def new(preset, model_class=TextClassifier, **names):
    keras.utils.set_random_seed(7)
    return model_class.from_preset(preset, labels=LABELS, seed=1, **names)


@pytest.fixture
def fitted(monkeypatch):
    """What `self_train` gives to `fit`, with the weights that the model then has."""
    calls = []

    def fit(model, x, y, **kwargs):
        calls.append({"x": x, "y": y, "weights": model.get_weights(), **kwargs})

    monkeypatch.setattr(TextClassifier, "fit", fit)
    return calls


def embedded(model, x, domains):
    tokens = {name: np.asarray(v) for name, v in model.preprocessor(x["text"]).items()}
    return TextEmbedder(model).predict({**tokens, "domain": domains}, verbose=0)


@pytest.mark.long
def test_a_round_learns_from_the_surest_of_every_domain_and_class(preset, fitted):
    model = new(preset, domains=DOMAINS)
    probabilities = model.predict(BARE, verbose=0)
    embeddings = embedded(model, BARE, OF_BARE)
    codes = np.array([LABELS.index(label) for label in Y])
    cells = oracle.centroids(embedded(model, X, OF_X), codes, OF_X, 2, 2)
    scores = np.array(
        [
            [oracle.typicality(e, code, domain, cells, np.eye(2), alpha=0.5) for code in (0, 1)]
            for e, domain in zip(embeddings, OF_BARE, strict=True)
        ]
    )
    settings = {"share": 0.5, "labeled_repeats": 2, "weight_by": "typicality"}
    (chosen,) = model.self_train(X, Y, BARE, epochs=3, **settings)

    guessed, places = probabilities.argmax(axis=1), np.arange(12)
    own = scores[places, guessed]
    margin = own - scores[places, 1 - guessed]
    expected = []
    # Half of 6 texts: of books 2 bad and 1 good, of tools 1.5 of each, rounded up.
    for domain, rooms in enumerate([(2, 1), (2, 2)]):
        for code, room in enumerate(rooms):
            cell = np.flatnonzero((domain == OF_BARE) & (guessed == code))
            expected += cell[np.argsort(-margin[cell])][:room].tolist()
    rows = sorted(expected)
    assert chosen.rows.tolist() == rows
    np.testing.assert_array_equal(chosen.labels, guessed[rows])
    np.testing.assert_allclose(chosen.probabilities, probabilities[rows], atol=1e-5)
    np.testing.assert_allclose(chosen.typicality, own[rows], atol=1e-5)
    np.testing.assert_allclose(chosen.margin, margin[rows], atol=1e-5)

    (call,) = fitted
    assert call["x"] == {role: X[role] * 2 + [BARE[role][row] for row in rows] for role in X}
    assert call["y"] == Y * 2 + guessed[rows].tolist()
    assert call["epochs"] == 3
    weights = np.maximum(own[rows], 0)
    np.testing.assert_array_equal(call["sample_weight"][:20], np.ones(20))
    np.testing.assert_allclose(call["sample_weight"][20:], weights / weights.mean(), rtol=1e-4)


@pytest.mark.long
def test_every_round_begins_where_it_is_told_to(preset, fitted):
    model = new(preset, domains=DOMAINS)
    start = [np.full_like(weight, 0.5) for weight in model.get_weights()]
    model.self_train(X, Y, BARE, start=start, rounds=2, choose_by="confidence")
    assert len(fitted) == 2
    for call in fitted:
        for one, other in zip(call["weights"], start, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.long
def test_typicality_is_scored_anew_for_the_texts_that_are_learned(preset):
    model = new(preset, MFTTextClassifier, domains=DOMAINS)
    model.adapt(X, Y, alpha=0.25)
    before = model.get_weights()
    (chosen,) = model.self_train(X, Y, BARE, epochs=1, verbose=0)
    # `fit` would refuse texts that `adapt` did not score.
    assert len(chosen.rows)
    assert any(
        np.abs(one - two).max() > 1e-6 for one, two in zip(before, model.get_weights(), strict=True)
    )


@pytest.mark.long
def test_texts_need_no_domains_where_the_model_has_none(preset, fitted):
    chosen = new(preset).self_train(X["text"], Y, BARE["text"], share=1.0)
    # 6 of 10 labels are bad: at most 7.2 of 12 texts, and 4.8 the others.
    counts = np.bincount(chosen[0].labels, minlength=2)
    assert counts[0] <= 7
    assert counts[1] <= 5
    assert fitted[0]["x"].keys() == {"text"}


def test_both_kinds_of_texts_have_the_same_columns(preset):
    with pytest.raises(InputError, match="`unlabeled`: must have the columns"):
        new(preset, domains=DOMAINS).self_train(X, Y, BARE["text"])
