"""Saving, loading and configuration, of all models."""

import keras
import numpy as np
import pytest

from easymft.models import (
    AdversarialTextClassifier,
    MFTTextClassifier,
    MultiTaskTextClassifier,
    TextClassifier,
    adamw,
)
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, arrays, compiled, tiny_backbone

ARGUMENTS = {
    TextClassifier: {"embedding": "pooler"},
    MFTTextClassifier: {"corruption_layers": (0, 1), "corruption": "shuffle", "seed": 3},
    MultiTaskTextClassifier: {"loss_normalization": "nonzero"},
    AdversarialTextClassifier: {"ramp_steps": 4},
}


@pytest.mark.long
@pytest.mark.parametrize("model_class", ARGUMENTS)
def test_save_load_and_config_round_trip(model_class, inputs, labels, typicality, reload):
    model = model_class(
        tiny_backbone(dropout=0.1), NUM_CLASSES, NUM_DOMAINS, **ARGUMENTS[model_class]
    )

    def train(model):
        model.fit(inputs, labels, sample_weight=typicality, shuffle=False, verbose=0)

    train(compiled(model, keras.optimizers.SGD(0.1, momentum=0.9)))
    loaded = reload(model)
    assert type(loaded) is model_class
    assert loaded.get_config() == model.get_config()
    assert int(loaded.optimizer.iterations) == 1
    for old, new in zip(arrays(model.variables), arrays(loaded.variables), strict=True):
        np.testing.assert_array_equal(new, old)
    outputs = model.predict(inputs, verbose=0)
    assert set(outputs) == {"logits"}
    np.testing.assert_array_equal(loaded.predict(inputs, verbose=0)["logits"], outputs["logits"])
    figures = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    assert loaded.evaluate(inputs, labels, verbose=0, return_dict=True) == figures
    # Loaded, it trains on as the original does: same momentum, dropout and corrupted labels.
    train(model)
    train(loaded)
    for old, new in zip(arrays(model.variables), arrays(loaded.variables), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-7)


@pytest.mark.parametrize("model_class", ARGUMENTS)
def test_config_of_other_arguments_round_trip(model_class):
    model = model_class(
        tiny_backbone(),
        num_classes=3,
        num_domains=2,
        embedding="pooler",
        dropout=0.25,
        loss_normalization="nonzero",
        name="other",
    )
    config = model.get_config()
    assert model_class.from_config(config).get_config() == config
    assert (config["name"], config["num_classes"], config["num_domains"]) == ("other", 3, 2)
    assert config["embedding"] == "pooler"
    assert config["dropout"] == 0.25
    assert config["loss_normalization"] == "nonzero"


@pytest.mark.long
def test_weights_of_a_stopped_training_continue_it_exactly(inputs, labels, typicality, tmp_path):
    def start(seed):
        keras.utils.set_random_seed(seed)
        model = MFTTextClassifier(tiny_backbone(dropout=0.2), NUM_CLASSES, NUM_DOMAINS, seed=seed)
        compiled(model, adamw(0.05))
        # Keras loads the state of an optimizer only into one that has variables.
        model.optimizer.build(model.trainable_variables)
        return model

    def train(model):
        model.fit(inputs, labels, sample_weight=typicality, epochs=2, shuffle=False, verbose=0)

    model, file = start(seed=1), tmp_path / "state.weights.h5"
    train(model)
    halfway = arrays(model.variables)
    model.save_weights(file)
    train(model)
    resumed = start(seed=2)  # other weights of the heads, other random states
    resumed.load_weights(file)
    for old, new in zip(halfway, arrays(resumed.variables), strict=True):
        np.testing.assert_array_equal(new, old)
    assert int(resumed.optimizer.iterations) == 2
    train(resumed)
    for old, new in zip(arrays(model.variables), arrays(resumed.variables), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-7)


def test_weights_load_where_the_dropout_is_another(tmp_path):
    model = TextClassifier(tiny_backbone(dropout=0.1), NUM_CLASSES)
    model.save_weights(tmp_path / "model.weights.h5")
    without = TextClassifier(tiny_backbone(seed=1), NUM_CLASSES, dropout=0.0)
    without.load_weights(tmp_path / "model.weights.h5")
    for old, new in zip(arrays(model.weights), arrays(without.weights), strict=True):
        np.testing.assert_array_equal(new, old)
