"""`model.export(folder)` of a model that Keras' `fit` trained on texts."""

import numpy as np
import pytest
import tensorflow as tf

from easymft.models import MFTTextClassifier, MultiTaskTextClassifier, TextClassifier
from tests.models.keras_preset import write_keras_bert

LABELS, DOMAINS = ["bad", "good"], ["books", "dvd"]
TEXTS = ["good", "the CAFÉ is bad!", "", "good goods"] * 3
OF, Y = DOMAINS * 6, [1, 0, 0, 1] * 3


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return write_keras_bert(tmp_path_factory.mktemp("preset"))


def served(folder, **columns):
    signature = tf.saved_model.load(folder).signatures["serving_default"]
    return signature(**{name: tf.constant(values) for name, values in columns.items()})


@pytest.mark.long
def test_as_the_text_tutorial_of_tensorflow_has_it(preset, tmp_path):
    dataset = tf.data.Dataset.from_tensor_slices((TEXTS, Y)).cache().batch(4).prefetch(1)
    model = TextClassifier.from_preset(preset, num_classes=2, max_length=8)
    model.fit(x=dataset, validation_data=dataset, epochs=1, verbose=0)
    loss, accuracy = model.evaluate(dataset, verbose=0)
    assert loss > 0
    model.export(tmp_path / "model", verbose=False)
    answer = served(tmp_path / "model", text=TEXTS)
    probabilities = model.predict(TEXTS, verbose=0)
    np.testing.assert_allclose(answer["probabilities"], probabilities, atol=1e-5)
    assert (probabilities.argmax(axis=1) == Y).mean() == pytest.approx(accuracy)
    assert set(answer["label"].numpy()) <= {b"0", b"1"}
    # No op that only XLA knows; and training goes on, by the fused kernels.
    assert b"_XlaMustCompile" not in (tmp_path / "model" / "saved_model.pb").read_bytes()
    model.fit(dataset, verbose=0)
    assert any(hasattr(getattr(x, "activation", None), "of_keras") for x in model._flatten_layers())


@pytest.mark.long
def test_names_and_pairs(preset, tmp_path):
    names = {"labels": LABELS, "domains": DOMAINS}
    model = MFTTextClassifier.from_preset(
        preset, pairs=True, **names
    )  # as `fit` of pairs leaves it
    model.export(tmp_path / "pairs", verbose=False)
    answer = served(tmp_path / "pairs", text=TEXTS, text_pair=TEXTS[::-1])
    names, scores = model.classify(TEXTS, text_pairs=TEXTS[::-1])
    assert [name.decode() for name in answer["label"].numpy()] == names
    np.testing.assert_allclose(answer["score"], scores, atol=1e-5)


@pytest.mark.long
def test_a_head_for_each_domain_is_asked_by_name(preset, tmp_path):
    model = MultiTaskTextClassifier.from_preset(preset, labels=LABELS, domains=DOMAINS)
    model.export(tmp_path / "model", verbose=False)
    answer = served(tmp_path / "model", text=TEXTS, domain=OF)
    expected = model.predict({"text": TEXTS, "domain": OF}, verbose=0)
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)
    # Of token ids, as before, where they are asked for.
    model.export(tmp_path / "ids", verbose=False, input_signature=[model.input_signature()])
    _, names = (
        tf.saved_model.load(tmp_path / "ids")
        .signatures["serving_default"]
        .structured_input_signature
    )
    assert set(names) == {"token_ids", "padding_mask", "segment_ids", "domain"}


@pytest.mark.long
def test_what_was_calibrated_is_served_so(preset, tmp_path):
    model = TextClassifier.from_preset(preset, labels=LABELS, domains=DOMAINS)
    x = {"text": TEXTS, "domain": OF}
    model.calibrate(x, Y, target_accuracy=0.5, confidence=0.5)
    model.export(tmp_path / "model", verbose=False)
    answer = served(tmp_path / "model", text=TEXTS, domain=OF)
    np.testing.assert_allclose(answer["probabilities"], model.predict(x), atol=1e-5)
    limits = model.rules.thresholds[[DOMAINS.index(name) for name in OF]]
    assert answer["abstain"].numpy().tolist() == (answer["score"].numpy() < limits).tolist()
