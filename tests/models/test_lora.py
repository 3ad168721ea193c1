import keras
import numpy as np
import pytest
from keras import ops

from easymft.errors import InputError
from easymft.models import TextClassifier
from easymft.models.lora import enable_lora, lora_state, merged_weights, set_lora_state
from tests.models.tiny import NUM_CLASSES, arrays, compiled, scramble, tiny_backbone

TOKENS = np.random.default_rng(0).integers(1, 20, (6, 8))
INPUTS = {
    "token_ids": TOKENS,
    "padding_mask": np.ones_like(TOKENS),
    "segment_ids": np.zeros_like(TOKENS),
    "domain": np.zeros(6, "int32"),
}
LABELS = np.array([0, 1] * 3)


def classifier(**kwargs):
    keras.utils.set_random_seed(3)
    model = TextClassifier(tiny_backbone(**kwargs), NUM_CLASSES, dropout=0.0)
    scramble(model)
    return model


@pytest.fixture(scope="module")
def trained():
    """A model with LoRA after some steps, and the weights that it had before."""
    model = classifier()
    before = model.get_weights()
    enable_lora(model, rank=2)
    compiled(model).fit(INPUTS, LABELS, batch_size=6, epochs=3, shuffle=False, verbose=0)
    return model, before


def logits(model):
    return ops.convert_to_numpy(model(INPUTS)["logits"])


@pytest.mark.long
def test_factors_change_nothing_before_they_have_learned():
    model = classifier()
    before, plain = logits(model), model.get_weights()
    enable_lora(model, rank=2)
    np.testing.assert_array_equal(logits(model), before)
    for one, other in zip(merged_weights(model), plain, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)


@pytest.mark.long
def test_only_queries_values_and_the_class_head_learn(trained):
    model, before = trained
    names = {v.path.split("/")[-1] for v in model.backbone.trainable_variables}
    assert names == {"lora_kernel_a", "lora_kernel_b", "bias"}
    # Two layers' queries and values, two factors and a bias each; the head's kernel and bias.
    assert len(model.trainable_variables) == 2 * 2 * 3 + 2
    merged = merged_weights(model)
    paths = [w.path for w in classifier().weights]
    changed = {
        path
        for path, one, other in zip(paths, before, merged, strict=True)
        if not np.array_equal(one, other)
    }
    attention = {path for path in changed if "query/" in path or "value/" in path}
    assert len(attention) == 2 * 2 * 2
    assert len(changed - attention) == 2
    assert all("class_head" in path for path in changed - attention)


def test_merged_weights_make_a_plain_model_that_answers_alike(trained):
    model, before = trained
    twin = TextClassifier.from_config(model.get_config())
    twin.set_weights(before)
    assert np.abs(logits(twin) - logits(model)).max() > 1e-3
    twin.set_weights(merged_weights(model))
    np.testing.assert_allclose(logits(twin), logits(model), atol=1e-5)


def test_a_model_without_lora_is_as_it_is():
    model = classifier()
    for one, other in zip(merged_weights(model), arrays(model.weights), strict=True):
        np.testing.assert_array_equal(one, other)
    assert lora_state(model) == {}


@pytest.mark.long
def test_state_outlives_what_keras_does_to_it(trained, tmp_path):
    model, _ = trained
    model.save_weights(tmp_path / "state.weights.h5")
    other = classifier()
    enable_lora(other, rank=2)
    other.load_weights(tmp_path / "state.weights.h5")
    set_lora_state(other, lora_state(model))
    for one, two in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(*arrays([one, two]), err_msg=one.path)


@pytest.mark.parametrize("architecture", ["Roberta", "DistilBert"])
def test_other_encoders(architecture):
    model = TextClassifier(tiny_backbone(architecture), NUM_CLASSES)
    enable_lora(model, rank=1)
    assert len(lora_state(model)) == 2 * 2 * 3


def test_an_encoder_without_lora_is_refused(monkeypatch):
    model = classifier()
    monkeypatch.setattr(type(model.backbone), "enable_lora", lambda backbone, rank: None)
    with pytest.raises(InputError, match=r"`fine_tune.lora_rank`: .*BertBackbone"):
        enable_lora(model, rank=1)


def test_scrambled_factors_are_merged_at_their_scale():
    model = classifier()
    enable_lora(model, rank=2)
    scramble(model, seed=5)
    layer = model.backbone.transformer_layers[0]._self_attention_layer.query_dense
    a, b = arrays([layer.lora_kernel_a, layer.lora_kernel_b])
    paths = [w.path for w in model.weights if "lora" not in w.name]
    index = next(i for i, path in enumerate(paths) if path == layer._kernel.path)
    expected = ops.convert_to_numpy(layer._kernel) + a @ b
    np.testing.assert_allclose(merged_weights(model)[index], expected, atol=1e-6)
