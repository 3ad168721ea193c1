"""What version 0.1.0 saved still loads: configurations and names of weights, as it wrote them."""

import h5py
import keras
import pytest

from easymft.models import (
    AdversarialTextClassifier,
    MFTTextClassifier,
    MultiTaskTextClassifier,
    TextClassifier,
    TextEmbedder,
    adamw,
)

BACKBONE = {
    "module": "keras_hub.src.models.bert.bert_backbone",
    "class_name": "BertBackbone",
    "config": {
        "name": "bert_backbone",
        "trainable": True,
        "vocabulary_size": 20,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 4,
        "intermediate_dim": 8,
        "dropout": 0.1,
        "max_sequence_length": 8,
        "num_segments": 2,
    },
    "registered_name": "keras_hub>BertBackbone",
}
OF_EVERY_MODEL = {
    "trainable": True,
    "dtype": {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float32"},
        "registered_name": None,
    },
    "backbone": BACKBONE,
    "num_classes": 2,
    "num_domains": 3,
    "embedding": "mean",
    "dropout": 0.1,
    "loss_normalization": "batch",
}
OF_THE_META_LEARNER = {
    "corruption_weight": 0.1,
    "corruption_layers": [0, 1],
    "corruption": "uniform",
    "shared_corruption_head": False,
    "weighted_corruption": True,
    "corruption_pools_padding": False,
    "corruption_in_evaluation": False,
    # These two had no effect with these values, and are gone.
    "head_target": "corrupted",
    "head_speed": 1.0,
    "seed": 3,
}
OWN = {
    "TextClassifier": {},
    "MFTTextClassifier": OF_THE_META_LEARNER,
    "MultiTaskTextClassifier": {},
    "AdversarialTextClassifier": {"ramp_steps": 4, "strength": 1.0},
}
CLASS_HEAD = ["class_head/vars/0", "class_head/vars/1"]
WEIGHTS = {
    "TextClassifier": [*CLASS_HEAD, "vars/random_states"],
    "MFTTextClassifier": [
        *CLASS_HEAD,
        "corruption_heads/domain_corruption_head/classifier/vars/0",
        "corruption_heads/domain_corruption_head/classifier/vars/1",
        "corruption_heads/domain_corruption_head/domain_embedding/vars/0",
        "corruption_heads/domain_corruption_head_1/classifier/vars/0",
        "corruption_heads/domain_corruption_head_1/classifier/vars/1",
        "corruption_heads/domain_corruption_head_1/domain_embedding/vars/0",
        "vars/random_states",
    ],
    "MultiTaskTextClassifier": [*CLASS_HEAD, "vars/random_states"],
    "AdversarialTextClassifier": [
        *CLASS_HEAD,
        "domain_head/vars/0",
        "domain_head/vars/1",
        "layers/gradient_reversal/vars/0",
        "vars/0",
        "vars/random_states",
    ],
}
CLASSES = {
    "TextClassifier": TextClassifier,
    "MFTTextClassifier": MFTTextClassifier,
    "MultiTaskTextClassifier": MultiTaskTextClassifier,
    "AdversarialTextClassifier": AdversarialTextClassifier,
}


def saved(name, module, config):
    return {
        "module": f"easymft.{module}",
        "class_name": name,
        "config": config,
        "registered_name": f"easymft>{name}",
    }


def saved_model(name, **changes):
    config = {"name": name.lower(), **OF_EVERY_MODEL, **OWN[name], **changes}
    return saved(name, "models.anywhere", config)


def names_of_weights(model, folder):
    """Those in a file of weights, without those of keras-hub's backbone."""
    model.save_weights(folder / "model.weights.h5")
    items = {}
    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(lambda name, item: items.update({name: isinstance(item, h5py.Dataset)}))
    return sorted(name for name in items if items[name] and "backbone/" not in name)


@pytest.mark.parametrize("name", OWN)
def test_a_models_configuration_and_names_of_weights(name, tmp_path):
    model = keras.saving.deserialize_keras_object(saved_model(name))
    assert type(model) is CLASSES[name]
    assert names_of_weights(model, tmp_path) == sorted(WEIGHTS[name])
    # Only the arguments that are gone, and how tuples are written, may differ.
    kept = {key: value for key, value in OWN[name].items() if not key.startswith("head_")}
    config = {**model.get_config(), **({"corruption_layers": [0, 1]} if "seed" in kept else {})}
    assert {key: config[key] for key in kept} == kept
    assert model.backbone.get_config()["dropout"] == 0.1


def test_an_embedders(tmp_path):
    config = {"name": "text_embedder", "classifier": saved_model("MFTTextClassifier")}
    embedder = keras.saving.deserialize_keras_object(
        saved("TextEmbedder", "models.text_embedder", config)
    )
    assert type(embedder) is TextEmbedder
    expected = [f"classifier/{name}" for name in WEIGHTS["MFTTextClassifier"]]
    assert names_of_weights(embedder, tmp_path) == sorted(expected)


@pytest.mark.parametrize("change", [{"head_target": "domain"}, {"head_speed": 10.0}])
def test_what_is_gone_and_had_an_effect_is_refused(change):
    ((name, value),) = change.items()
    with pytest.raises(ValueError, match=f"`{name}={value!r}` was saved by an earlier version"):
        keras.saving.deserialize_keras_object(saved_model("MFTTextClassifier", **change))


def test_a_corruption_head_in_a_model_of_ones_own():
    config = {
        "name": "head",
        "trainable": True,
        "num_domains": 4,
        "corruption": "other",
        "target": "corrupted",
        "speed": 1.0,
        "seed": 7,
    }
    saved_head = saved("DomainCorruptionHead", "layers.domain_corruption_head", config)
    head = keras.saving.deserialize_keras_object(saved_head)
    assert (head.num_domains, head.corruption, head.seed) == (4, "other", 7)
    saved_head["config"] = {**config, "target": "domain"}
    with pytest.raises(ValueError, match="`target='domain'` was saved by an earlier version"):
        keras.saving.deserialize_keras_object(saved_head)


def test_an_optimizers():
    schedule = saved(
        "WarmupLinearDecay",
        "models.optimizer",
        {"peak": 0.01, "total_steps": 20, "warmup": 0.5, "parts": 1},
    )
    config = {
        "name": "bert_adam_w",
        "learning_rate": schedule,
        "weight_decay": 0.01,
        "clipnorm": None,
        "global_clipnorm": 1.0,
        "clipvalue": None,
        "use_ema": False,
        "ema_momentum": 0.99,
        "ema_overwrite_frequency": None,
        "loss_scale_factor": None,
        "gradient_accumulation_steps": None,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-06,
        "amsgrad": False,
    }
    optimizer = keras.saving.deserialize_keras_object(
        saved("BertAdamW", "models.optimizer", config)
    )
    assert type(optimizer) is type(adamw(0.1))
    assert float(optimizer.learning_rate) == pytest.approx(0.001)  # a tenth of the way up
