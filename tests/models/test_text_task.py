"""Texts into `adapt`, `fit`, `evaluate` and `predict`."""

import contextlib

import keras
import numpy as np
import pytest
from keras import ops

from easymft.errors import InputError
from easymft.models import (
    AdversarialTextClassifier,
    MFTTextClassifier,
    MultiTaskTextClassifier,
    TextClassifier,
    TextEmbedder,
    WarmupLinearDecay,
    adamw,
    training,
)
from tests.layers import oracle
from tests.models.keras_preset import write_keras_bert
from tests.models.tiny import arrays

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
METHODS = [
    TextClassifier,
    MultiTaskTextClassifier,
    AdversarialTextClassifier,
    MFTTextClassifier,
]
LABELS, DOMAINS = ["bad", "good"], ["books", "dvd", "tools"]
RANDOM = np.random.default_rng(0)
TEXTS = [" ".join(RANDOM.choice([*"abcdef", "good", "cafe"], n)) for n in RANDOM.integers(2, 9, 24)]
Y = [LABELS[code] for code in RANDOM.integers(0, 2, 24)]
OF = [DOMAINS[code] for code in RANDOM.integers(0, 3, 24)]
X = {"text": TEXTS, "domain": OF}
Y_CODES, OF_CODES = (np.array([n.index(v) for v in vs]) for n, vs in ((LABELS, Y), (DOMAINS, OF)))


@pytest.fixture(scope="session")
def preset(tmp_path_factory):
    return write_keras_bert(tmp_path_factory.mktemp("preset"))


@pytest.fixture(autouse=True, scope="module")
def eager():
    """No tracing, which would take most of the time."""
    if ON_TENSORFLOW:
        import tensorflow as tf

        tf.config.run_functions_eagerly(True)
        yield
        tf.config.run_functions_eagerly(False)
    else:
        yield


@pytest.fixture
def new(preset):
    def make(model_class=MFTTextClassifier, seed=1, **kwargs):
        keras.utils.set_random_seed(7)
        names = {"labels": LABELS, "domains": DOMAINS, "seed": seed}
        return model_class.from_preset(preset, **{**names, **kwargs})

    return make


@pytest.fixture
def fed(monkeypatch):
    """What `fit` gives to Keras: its arguments, with the batches read out."""
    found = []

    def fit(model, x, **kwargs):
        held_out = kwargs.pop("validation_data", None)
        found.append({**kwargs, "x": list(x), "held_out": held_out and list(held_out)})

    monkeypatch.setattr(keras.Model, "fit", fit)
    return found


def tokens_of(model):
    tokens = model.preprocessor(TEXTS)
    return {**{name: np.asarray(v) for name, v in tokens.items()}, "domain": OF_CODES}


def by_text(batches):
    """Weights by the tokens that they came with, and labels."""
    weights = {}
    for inputs, labels, *weight in batches:
        values = weight[0] if weight else np.ones(len(labels))
        rows = zip(inputs["token_ids"], labels, inputs["domain"], values, strict=True)
        for ids, label, domain, value in rows:
            ids = np.asarray(ids)
            weights[(*ids[ids > 0].tolist(), int(label), int(domain))] = float(value)
    return weights


def expected_by_text(model, values):
    rows = zip(tokens_of(model)["token_ids"], Y_CODES, OF_CODES, strict=True)
    keys = [(*ids[ids > 0].tolist(), int(label), int(domain)) for ids, label, domain in rows]
    return dict(zip(keys, values, strict=True))


@pytest.mark.long
@pytest.mark.parametrize("clip", [0.8, None])
def test_adapt_gives_each_text_a_score_of_its_own(new, clip):
    model = new()
    scores = model.adapt(X, Y, alpha=0.3, clip=clip)
    embeddings = TextEmbedder(model).predict(tokens_of(model), verbose=0)
    cells = oracle.centroids(embeddings, Y_CODES, OF_CODES, 3, 2)
    rows = zip(embeddings, Y_CODES, OF_CODES, strict=True)
    expected = [oracle.typicality(*row, cells, np.eye(2), alpha=0.3) for row in rows]
    least = -1 if clip is None else clip
    np.testing.assert_allclose(scores, np.maximum(expected, least), atol=1e-5)
    assert len(set(np.round(expected, 4))) > 20  # not one for each class, or domain
    assert scores.dtype == np.float32


@pytest.mark.long
def test_all_weights_are_multiplied(new, fed):
    model = new()
    model.fit(X, Y, batch_size=5)
    assert all(len(batch) == 2 for batch in fed[-1]["x"])  # none
    own = RANDOM.uniform(0.5, 2, 24)
    model.fit(X, Y, batch_size=5, sample_weight=own)
    assert by_text(fed[-1]["x"]) == pytest.approx(expected_by_text(model, own))
    typicality = model.adapt(X, Y)
    model.fit(X, Y, batch_size=5, class_weight={"good": 3.0})
    expected = typicality * np.where(Y_CODES == 1, 3, 1)
    assert by_text(fed[-1]["x"]) == pytest.approx(expected_by_text(model, expected))
    # Scores belong to texts, whatever their order, and how they come.
    some = {name: values[::-3] for name, values in X.items()}
    model.fit(some, Y_CODES[::-3], sample_weight=own[::-3])
    expected = expected_by_text(model, typicality * own)
    assert (
        by_text(fed[-1]["x"]).items() <= {k: pytest.approx(v) for k, v in expected.items()}.items()
    )
    with pytest.raises(InputError, match="holds 1 of 2 texts that `adapt` did not score"):
        model.fit({"text": [TEXTS[0], "a new one"], "domain": OF[:2]}, Y[:2])


@pytest.mark.long
def test_batches_are_those_of_keras_arguments(new, fed):
    model = new(TextClassifier)
    model.fit(X, Y, batch_size=5, epochs=3, validation_split=0.25, initial_epoch=1)
    call = fed[-1]
    assert (call["epochs"], call["initial_epoch"], call["steps_per_epoch"]) == (3, 1, 4)
    assert len(call["x"]) == 2 * 4
    # Each epoch has all texts but the last quarter, which are held out.
    first, second = by_text(call["x"][:4]), by_text(call["x"][4:])
    everything = list(expected_by_text(model, np.ones(24)))
    assert set(first) == set(second) == set(everything[:18])
    assert set(by_text(call["held_out"])) == set(everything[18:])
    assert call["validation_steps"] == len(call["held_out"]) == 2
    # Padded to the next of a few lengths, not to the longest text there is.
    assert {batch[0]["token_ids"].shape[1] for batch in call["x"]} <= {8, 16}
    model.fit(X, Y, shuffle=False, batch_size=24)
    assert list(by_text(fed[-1]["x"])) == everything
    model.fit(X, Y, batch_size=5, epochs=2, steps_per_epoch=3, validation_data=(X, Y))
    assert len(fed[-1]["x"]) == 6
    assert set(by_text(fed[-1]["held_out"])) == set(everything)


@pytest.mark.long
def test_pairs_are_read_as_pairs(new, fed):
    model = new(TextClassifier, num_domains=None, domains=None)
    assert not model.pairs
    model.fit((TEXTS, TEXTS[::-1]), Y, batch_size=24, shuffle=False)
    assert model.pairs
    inputs, _ = fed[-1]["x"][0]
    expected = model.preprocessor(x=(TEXTS, TEXTS[::-1]))
    for name in ("token_ids", "segment_ids"):
        np.testing.assert_array_equal(inputs[name], np.asarray(expected[name]))


@pytest.mark.long
def test_the_order_is_that_of_the_seed(new, fed):
    model = new(TextClassifier)
    for seed in (1, 1, 2, None, None):
        keras.utils.set_random_seed(7)
        model.seed = seed
        model.fit(X, Y, batch_size=2)
    orders = [list(by_text(call["x"])) for call in fed]
    assert orders[0] == orders[1] != orders[2]
    assert orders[3] == orders[4]  # that of `keras.utils.set_random_seed`


@pytest.mark.long
@pytest.mark.parametrize("model_class", METHODS)
def test_every_method_learns_predicts_and_evaluates(new, model_class):
    model = new(model_class)
    history = model.fit(X, Y, epochs=2, batch_size=8, verbose=0).history
    assert {"loss", "accuracy", "average_accuracy", f"accuracy_{DOMAINS[2]}"} <= set(history)
    probabilities = model.predict(X, batch_size=7, verbose=0)
    logits = model.predict(tokens_of(model), verbose=0)["logits"]
    expected = ops.convert_to_numpy(ops.softmax(logits))
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    figures = model.evaluate(X, Y, batch_size=5, verbose=0, return_dict=True)
    right = probabilities.argmax(axis=1) == Y_CODES
    assert figures["accuracy"] == pytest.approx(right.mean())
    for code, name in enumerate(DOMAINS):
        accuracy = right[code == OF_CODES].mean()
        assert figures[f"accuracy_{name}"] == pytest.approx(accuracy)
    names, scores = model.classify(TEXTS, OF)
    assert names == [LABELS[code] for code in expected.argmax(axis=1)]
    np.testing.assert_allclose(scores, expected.max(axis=1), atol=1e-6)
    if model_class is MultiTaskTextClassifier:
        with pytest.raises(InputError, match="must name the domain of each text"):
            model.predict(TEXTS)
        with pytest.raises(InputError, match=r"`domain\[0\]`: must be one of .* 'boks'"):
            model.predict({"text": TEXTS[:1], "domain": ["boks"]})
    else:
        anywhere = model.predict({"text": TEXTS, "domain": ["garden", None] * 12}, verbose=0)
        np.testing.assert_array_equal(model.predict(TEXTS, verbose=0), anywhere)


@pytest.mark.long
def test_a_model_that_nobody_compiled_compiles_itself(new):
    model = new(TextClassifier)
    model.predict(TEXTS[:1], verbose=0)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    schedule = training.schedule_of(model.optimizer)
    assert schedule.total_steps == int(model.optimizer.iterations) == 6
    states = arrays(model.random_states)
    # Each `fit` is a training of its own: the rate rises anew.
    model.fit(X, Y, batch_size=12, verbose=0)
    assert schedule.total_steps == int(model.optimizer.iterations) == 2
    with pytest.raises(ValueError, match=r"`WarmupLinearDecay` .* `total_steps`"):
        model.fit(tokens_of(model), Y_CODES)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    for one, other in zip(states, arrays(model.random_states), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.long
def test_what_a_user_compiled_stays(new):
    model = new(TextClassifier)
    optimizer = adamw(WarmupLinearDecay(1e-3, 100))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, run_eagerly=ON_TENSORFLOW)
    for _ in range(2):
        history = model.fit(X, Y, batch_size=8, verbose=0).history
    assert "accuracy" not in history
    assert model.optimizer is optimizer
    assert (training.schedule_of(optimizer).total_steps, int(optimizer.iterations)) == (100, 6)


@pytest.mark.long
def test_callbacks_of_keras_and_a_killed_training(new, tmp_path):
    def train(folder, *callbacks):
        model = new(TextClassifier)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(adamw(WarmupLinearDecay(0.01)), loss)
        backup = keras.callbacks.BackupAndRestore(folder / "backup")
        kept = keras.callbacks.ModelCheckpoint(folder / "best.keras", save_best_only=True)
        rest = [backup, kept, keras.callbacks.EarlyStopping("val_loss", patience=5), *callbacks]
        model.fit(X, Y, batch_size=8, epochs=3, validation_split=0.2, callbacks=rest, verbose=0)
        return model

    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    whole = train(tmp_path / "whole")
    assert keras.saving.load_model(tmp_path / "whole" / "best.keras").labels == LABELS
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, Kill())
    resumed = train(tmp_path)
    for one, other in zip(arrays(whole.weights), arrays(resumed.weights), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.long
def test_saved_with_tokenizer_and_names(new, reload):
    model = new()
    model.fit(X, Y, epochs=2, verbose=0)
    config = model.get_config()
    assert MFTTextClassifier.from_config(config).get_config() == config
    loaded = reload(model)
    assert loaded.get_config() == config
    assert (loaded.labels, loaded.domains, loaded.seed) == (LABELS, DOMAINS, 1)
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    loaded.fit(X, Y, epochs=2, verbose=0)
    assert training.schedule_of(loaded.optimizer).total_steps == 2
    plain = reload(model.without_heads())
    np.testing.assert_array_equal(plain.predict(X, verbose=0), model.predict(X, verbose=0))
    assert plain.classify(TEXTS[:1])[0][0] in LABELS


def test_the_tokenizer_is_no_layer(new):
    model = new(TextClassifier)
    assert model.preprocessor not in model._flatten_layers()
    assert model.preprocessor.sequence_length == 16  # 128, or what the encoder has positions for
    assert new(TextClassifier, max_length=8).preprocessor.sequence_length == 8


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (TEXTS, Y, "`x`: must name the domain of each text"),
        ({"text": TEXTS, "domain": ["garden"] * 24}, Y, r"`domain\[0\]`: must be one of"),
        (X, ["bed"] * 24, r"`y\[0\]`: must be one of the model's `labels`.*'bad'"),
        (X, None, "`y`: must be the classes"),
        ({"text": [None] * 24, "domain": OF}, Y, r"`texts\[0\]`: is missing"),
    ],
)
def test_what_fit_refuses(new, x, y, message):
    with pytest.raises(ValueError, match=message):
        new().fit(x, y)


def test_a_model_without_tokenizer_says_how_to_get_one(backbone):
    model = TextClassifier(backbone, 2)
    with pytest.raises(InputError, match="no tokenizer; make it by `from_preset`"):
        model.predict(TEXTS)


def test_a_calibrated_model_divides_logits_by_its_domains_temperatures(new, tmp_path):
    model = new()
    raw = model.predict(X)
    # Every third class is another than the model says, so it is too sure.
    given = [LABELS[(code + (n % 3 == 0)) % 2] for n, code in enumerate(raw.argmax(axis=1))]
    facts = model.calibrate(X, given, target_accuracy=0.6, confidence=0.5)
    assert list(facts["domains"]) == DOMAINS
    found = np.array([facts["domains"][name]["temperature"] for name in OF])[:, None]
    expected = raw ** (1 / found)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-5)
    assert model.predict(X).argmax(axis=1).tolist() == raw.argmax(axis=1).tolist()
    shared = raw ** (1 / facts["unknown"]["temperature"])
    shared /= shared.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict(TEXTS), shared, atol=1e-5)
    np.testing.assert_allclose(model.classify(TEXTS, OF)[1], expected.max(axis=1), atol=1e-5)

    # It lasts, as long as nothing is learned.
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(X), expected, atol=1e-5)
    assert loaded.rules.to_dict() == model.rules.to_dict()
    model.save_to_preset(tmp_path / "preset")
    again = MFTTextClassifier.from_preset(str(tmp_path / "preset"))
    np.testing.assert_allclose(again.predict(X), expected, atol=1e-5)
    model.fit(X, Y, epochs=0, verbose=0)
    assert model.rules is None
    np.testing.assert_allclose(model.predict(X), raw, atol=1e-6)


@pytest.mark.parametrize("name", ["target_accuracy", "confidence"])
def test_shares_that_are_none_are_refused(new, name):
    with pytest.raises(InputError, match=f"`{name}`: must be in .* Received: 95"):
        new().calibrate(X, Y, **{name: 95})


@pytest.mark.slow
@pytest.mark.skipif(not ON_TENSORFLOW, reason="JAX compiles always, and has no such strategies")
@pytest.mark.parametrize("kind", ["steps_per_execution", "jit_compile", "bfloat16", "mirrored"])
def test_as_keras_can_be_told_to_compute(new, kind):
    import tensorflow as tf

    tf.config.run_functions_eagerly(False)
    devices = [device.name for device in tf.config.list_logical_devices("CPU")[:2]]
    scope = tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice()).scope()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    try:
        with scope if kind == "mirrored" else contextlib.nullcontext():
            model = new(dtype="mixed_bfloat16" if kind == "bfloat16" else None, dropout=0.0)
            how = {"steps_per_execution": 3} if kind == "steps_per_execution" else {}
            how |= {"jit_compile": True} if kind == "jit_compile" else {}
            model.compile(adamw(WarmupLinearDecay(0.01)), loss, **how)
        start = model.get_weights()
        typicality = model.adapt(X, Y)
        history = model.fit(X, Y, batch_size=6, epochs=2, validation_data=(X, Y), verbose=0).history
        probabilities = model.predict(X, batch_size=5, verbose=0)
        figures = model.evaluate(X, Y, batch_size=7, verbose=0, return_dict=True)
    finally:
        tf.config.run_functions_eagerly(True)
    assert len(set(np.round(typicality, 3))) > 10
    assert history["val_loss"][1] != history["val_loss"][0]
    assert max(np.abs(a - b).max() for a, b in zip(start, model.get_weights(), strict=True)) > 0.01
    assert probabilities.shape == (24, 2)
    right = (probabilities.argmax(axis=1) == Y_CODES)[OF_CODES == 1].mean()
    assert figures[f"accuracy_{DOMAINS[1]}"] == pytest.approx(right)
    assert history["val_loss"][1] == pytest.approx(figures["loss"], rel=1e-2)
