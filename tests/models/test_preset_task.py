"""Classifiers from presets, and as presets."""

import json

import keras_hub
import numpy as np
import pytest

from easymft.errors import InputError
from easymft.models import (
    AdaptedTextClassifier,
    AdversarialTextClassifier,
    MFTTextClassifier,
    MultiTaskTextClassifier,
    TextClassifier,
)
from tests.models.hugging_face import write_bert
from tests.models.keras_preset import write_keras_bert
from tests.models.tiny import arrays, scramble

LABELS, DOMAINS = ["bad", "good"], ["books", "dvd", "tools"]
X = {"text": ["good", "the CAFÉ", "bad goods"], "domain": DOMAINS}
METHODS = [
    TextClassifier,
    MultiTaskTextClassifier,
    AdversarialTextClassifier,
    MFTTextClassifier,
]


@pytest.fixture(scope="session")
def preset(tmp_path_factory):
    return write_keras_bert(tmp_path_factory.mktemp("preset"))


def new(preset, model_class=MFTTextClassifier, **kwargs):
    model = model_class.from_preset(preset, labels=LABELS, domains=DOMAINS, **kwargs)
    scramble(model.class_head)
    return model


@pytest.mark.long
@pytest.mark.parametrize("model_class", METHODS)
def test_a_saved_classifier_is_a_preset(preset, tmp_path, model_class):
    model = new(preset, model_class, max_length=8, seed=3)
    model.save_to_preset(tmp_path)
    loaded = TextClassifier.from_preset(str(tmp_path))
    assert type(loaded) is model_class
    assert loaded.preprocessor.sequence_length == 8
    assert (loaded.labels, loaded.domains, loaded.seed) == (LABELS, DOMAINS, 3)
    for one, other in zip(arrays(model.weights), arrays(loaded.weights), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.long
def test_so_is_one_with_parts_of_domains(preset, tmp_path):
    model = AdaptedTextClassifier.of_meta_learner(new(preset, TextClassifier), 3, parts="lora")
    for layer in (*model.adapters, model.head_adapters):
        scramble(layer)
    model.save_to_preset(tmp_path)
    loaded = AdaptedTextClassifier.from_preset(str(tmp_path))
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    assert np.abs(model.predict(X, verbose=0) - model.predict(X["text"], verbose=0)).max() > 0.01


@pytest.mark.long
def test_keras_hub_finds_encoder_and_tokenizer_in_it(tmp_path):
    write_bert(tmp_path / "hugging_face")
    model = new(str(tmp_path / "hugging_face"))
    model.save_to_preset(tmp_path / "own")
    backbone = keras_hub.models.Backbone.from_preset(str(tmp_path / "own"))
    for one, other in zip(arrays(model.backbone.weights), arrays(backbone.weights), strict=True):
        np.testing.assert_array_equal(one, other)
    # What a Hugging Face tokenizer cleans stays cleaned, here and as an encoder for others.
    text = ["goodness\N{NO-BREAK SPACE}CAFÉ\N{TRADE MARK SIGN}"]
    other = TextClassifier.from_preset(str(tmp_path / "own"), num_classes=5, max_length=16)
    for reader in (TextClassifier.from_preset(str(tmp_path / "own")), other):
        ids = [np.asarray(one.preprocessor(text)["token_ids"]) for one in (model, reader)]
        np.testing.assert_array_equal(*ids)
    assert (other.num_classes, other.labels) == (5, None)


def test_numbers_follow_from_names(preset):
    model = new(preset)
    assert (model.num_classes, model.num_domains) == (2, 3)
    with pytest.raises(InputError, match="`labels`: must be 3 different names"):
        new(preset, num_classes=3)


def test_what_is_no_classifier(preset, tmp_path):
    with pytest.raises(InputError, match=r"`num_classes`: .* an encoder's, not a classifier's"):
        TextClassifier.from_preset(preset)
    with pytest.raises(InputError, match=r"`num_classes`: .* for a new classifier"):
        TextClassifier.from_preset(preset, max_length=8)
    new(preset, TextClassifier).save_to_preset(tmp_path)
    with pytest.raises(InputError, match="holds a easymft>TextClassifier, no MFTTextClassifier"):
        MFTTextClassifier.from_preset(str(tmp_path))
    facts = json.loads((tmp_path / "easymft.json").read_text())
    (tmp_path / "easymft.json").write_text(json.dumps({**facts, "class_name": "os>system"}))
    with pytest.raises(InputError, match="holds a os>system"):
        TextClassifier.from_preset(str(tmp_path))


def test_a_model_without_tokenizer_is_no_preset(backbone, tmp_path):
    with pytest.raises(InputError, match="needs a model with a tokenizer"):
        TextClassifier(backbone, 2).save_to_preset(tmp_path / "preset")
    assert not (tmp_path / "preset").exists()


@pytest.mark.long
@pytest.mark.parametrize("way", ["preset", "archive"])
def test_the_policy_of_the_encoder(preset, tmp_path, way, reload):
    model = new(preset, dtype="mixed_bfloat16")
    if way == "preset":
        model.save_to_preset(tmp_path / "saved")
        # As in keras-hub: a preset is read in Keras' own policy, unless another is asked for.
        plain = TextClassifier.from_preset(str(tmp_path / "saved"))
        assert plain.backbone.dtype_policy.name == "float32"
        loaded = TextClassifier.from_preset(str(tmp_path / "saved"), dtype="mixed_bfloat16")
    else:
        loaded = reload(model)
    for one in (model, loaded):
        assert one.backbone.dtype_policy.name == "mixed_bfloat16"
        assert {weight.dtype for weight in one.trainable_weights} == {"float32"}
    probabilities = model.predict(X, verbose=0)
    assert probabilities.dtype == np.float32
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), probabilities)
    # In half precision the encoder rounds, and a model of the same weights in float32 does not.
    exact = new(preset)
    exact.set_weights(model.get_weights())
    apart = np.abs(exact.predict(X, verbose=0) - probabilities).max()
    assert 0 < apart < 0.05
