import keras
import numpy as np
import pytest
from keras import ops

from easymft.models import MFTTextClassifier
from tests.layers import oracle
from tests.models.tiny import (
    NUM_CLASSES,
    NUM_DOMAINS,
    arrays,
    compiled,
    scramble,
    tiny_backbone,
    traced,
)

LAYERS = (0, 1)


def meta_learner(**kwargs):
    """A meta-learner whose heads have weights that a rounding error cannot hide."""
    arguments = {"corruption_layers": LAYERS, "corruption_weight": 0.3, "dropout": 0.0, "seed": 5}
    backbone = kwargs.pop("backbone", None) or tiny_backbone()
    model = MFTTextClassifier(backbone, NUM_CLASSES, NUM_DOMAINS, **{**arguments, **kwargs})
    for seed, layer in enumerate([model.class_head, *model.corruption_heads], start=1):
        scramble(layer, seed)
    return model


def functional_classifier(class_head):
    """A plain Keras classifier with the same weights, built without any part of easymft."""
    backbone = tiny_backbone()
    mask = ops.cast(backbone.input["padding_mask"], "float32")[..., None]
    sequence = backbone.output["sequence_output"]
    mean = ops.sum(sequence * mask, axis=1) / ops.sum(mask, axis=1)
    head = keras.layers.Dense(NUM_CLASSES)
    model = keras.Model(backbone.input, head(mean))
    head.set_weights(class_head.get_weights())
    return model, backbone, head


@pytest.mark.long
@pytest.mark.parametrize("weights", [None, np.ones(8, "float32")])
@pytest.mark.parametrize("normalization", ["batch", "nonzero"])
def test_without_corruption_and_with_typicality_1_it_is_a_plain_classifier(
    inputs, labels, weights, normalization
):
    ours = meta_learner(corruption_weight=0, loss_normalization=normalization)
    plain, backbone, head = functional_classifier(ours.class_head)
    before = arrays(ours.backbone.weights)
    # With a learning rate of 1, what a step of SGD takes off the weights is the gradient.
    for model in (ours, plain):
        compiled(model, keras.optimizers.SGD(1.0))
    tokens = {name: inputs[name] for name in backbone.input}
    loss = ours.train_on_batch(inputs, labels, sample_weight=weights, return_dict=True)["loss"]
    expected = plain.train_on_batch(tokens, labels)
    assert loss == pytest.approx(expected, abs=1e-6)
    gradients = [a - b for a, b in zip(arrays(ours.backbone.weights), before, strict=True)]
    assert max(np.abs(g).max() for g in gradients) > 0.01
    for model_part, plain_part in ((ours.backbone, backbone), (ours.class_head, head)):
        for a, b in zip(arrays(model_part.weights), arrays(plain_part.weights), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def fix_corruption(model, monkeypatch):
    """Make the layers' corrupted labels known in place of drawn; returns them, (batch, layers)."""
    z = np.random.default_rng(3).integers(0, NUM_DOMAINS, (8, len(LAYERS))).astype("int32")
    calls = []

    def corrupt(domains):
        calls.append(len(calls))
        return ops.convert_to_tensor(z[:, calls[-1] % len(LAYERS)])

    for head in model.corruption_heads:
        monkeypatch.setattr(head, "corrupt", corrupt)
    return z


def expected_losses(model, inputs, labels, typicality, z):
    """(batch,) label losses and (batch, layers) corruption losses, all unweighted."""
    backbone = model.backbone
    tokens = {name: inputs[name] for name in backbone.input}
    hidden = keras.Model(backbone.input, [layer.output for layer in backbone.transformer_layers])
    hidden = [ops.convert_to_numpy(h) for h in hidden(tokens)]
    kernel, bias = model.class_head.get_weights()
    mean = oracle.masked_mean(hidden[-1], inputs["padding_mask"])
    entropy = oracle.cross_entropy(mean @ kernel + bias, labels)
    corruption = []
    for i, layer in enumerate(LAYERS):
        mask = inputs["padding_mask"]
        if model.corruption_pools_padding:
            mask = np.ones_like(mask)
        head = model.corruption_heads[0 if model.shared_corruption_head else i]
        (embedding,) = arrays([head.domain_embedding.embeddings])
        logits = oracle.corruption_logits(
            oracle.masked_mean(hidden[layer], mask),
            inputs["domain"],
            embedding,
            *head.classifier.get_weights(),
        )
        corruption.append(oracle.cross_entropy(logits, z[:, i]))
    return entropy, np.stack(corruption, axis=1)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"corruption_weight": 2.0},
        {"weighted_corruption": False},
        {"loss_normalization": "nonzero"},
        {"shared_corruption_head": True},
        {"corruption_pools_padding": True},
        {  # all of EasyTransfer's choices
            "loss_normalization": "nonzero",
            "weighted_corruption": False,
            "shared_corruption_head": True,
            "corruption_pools_padding": True,
        },
    ],
    ids=lambda arguments: "+".join(arguments) or "paper",
)
@pytest.mark.parametrize("weighted", [True, False], ids=["typicality", "all_1"])
def test_loss_of_training_agrees_with_numpy(
    arguments, weighted, inputs, labels, typicality, monkeypatch
):
    model = compiled(meta_learner(**arguments))
    assert len(model.corruption_heads) == (1 if model.shared_corruption_head else 2)
    z = fix_corruption(model, monkeypatch)
    t = typicality if weighted else np.ones(8)
    entropy, corruption = expected_losses(model, inputs, labels, t, z)
    count = 8
    if model.loss_normalization == "nonzero":
        count = np.count_nonzero(t)
    label_loss = (t * entropy).sum() / count
    corruption_loss = ((t[:, None] if model.weighted_corruption else 1) * corruption).mean()
    outputs = model(inputs, training=True)
    loss = model.compute_loss(inputs, labels, outputs, typicality if weighted else None)
    assert float(loss) == pytest.approx(
        label_loss + model.corruption_weight * corruption_loss, rel=1e-5
    )
    assert corruption_loss > 0.05  # so that leaving it out would show


@pytest.mark.long
@pytest.mark.parametrize("weighted", [True, False], ids=["weighted", "unweighted"])
def test_fit_and_train_on_batch_report_the_total_and_its_parts(
    weighted, inputs, labels, typicality, monkeypatch
):
    model = meta_learner(weighted_corruption=weighted, shared_corruption_head=True)
    model = compiled(model, keras.optimizers.SGD(0.0))
    z = fix_corruption(model, monkeypatch)
    entropy, corruption = expected_losses(model, inputs, labels, typicality, z)
    corruption = ((typicality[:, None] if weighted else 1) * corruption).mean(axis=0)
    expected = {
        "label_loss": (typicality * entropy).mean(),
        "corruption_loss_layer_0": corruption[0],
        "corruption_loss_layer_1": corruption[1],
        "mean_weight": 0.325,  # (0.9 + 0.4 - 0.2 + 0.7 + 0.5 + 0.3) / 8
    }
    expected["loss"] = expected["label_loss"] + 0.3 * corruption.mean()
    logs = model.train_on_batch(inputs, labels, sample_weight=typicality, return_dict=True)
    assert {name: logs[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    logs = model.fit(
        inputs, labels, sample_weight=typicality, batch_size=8, shuffle=False, verbose=0
    ).history
    assert {name: logs[name][-1] for name in expected} == pytest.approx(expected, rel=1e-5)


@pytest.mark.long
def test_parts_of_the_loss_are_means_over_the_texts_of_one_epoch(inputs, labels):
    # Weights of two batches of 5 and 3 texts; nothing learns, so both epochs report the same.
    weights = np.array([1, 1, 1, 1, 1, 5, 5, 5], "float32")
    model = meta_learner(corruption_weight=0.5)
    compiled(model, keras.optimizers.SGD(0.0), **traced())
    arguments = {"sample_weight": weights, "batch_size": 5, "shuffle": False, "verbose": 0}
    logs = model.fit(inputs, labels, epochs=2, validation_data=(inputs, labels), **arguments)
    logs = logs.history
    assert logs["mean_weight"] == [2.5, 2.5]  # (5 * 1 + 3 * 5) / 8, not (1 + 5) / 2
    entropy, _ = expected_losses(model, inputs, labels, weights, np.zeros((8, 2), "int32"))
    assert logs["label_loss"] == [pytest.approx((weights * entropy).mean(), rel=1e-4)] * 2
    for epoch in range(2):
        corruption = [logs[f"corruption_loss_layer_{layer}"][epoch] for layer in LAYERS]
        total = logs["label_loss"][epoch] + 0.5 * np.mean(corruption)
        assert logs["loss"][epoch] == pytest.approx(total, rel=1e-5)
    # Evaluation has no such parts, neither alone nor within `fit`.
    assert not any("weight" in name or "corruption" in name for name in logs if "val_" in name)
    figures = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    assert {f"val_{name}" for name in figures} == {name for name in logs if "val_" in name}


def test_parts_of_the_loss_without_corruption(inputs, labels):
    model = compiled(meta_learner(corruption_weight=0))
    logs = model.train_on_batch(inputs, labels, return_dict=True)
    assert logs["mean_weight"] == 1
    assert logs["label_loss"] == logs["loss"] > 0
    assert not any("corruption" in name for name in logs)


@pytest.mark.long
def test_evaluation_and_prediction_know_no_corruption(inputs, labels, typicality, monkeypatch):
    model = compiled(meta_learner())
    z = fix_corruption(model, monkeypatch)
    entropy, _ = expected_losses(model, inputs, labels, typicality, z)
    figures = model.evaluate(inputs, labels, sample_weight=typicality, verbose=0, return_dict=True)
    assert figures["loss"] == pytest.approx((typicality * entropy).mean(), rel=1e-5)
    assert set(model.predict(inputs, verbose=0)) == {"logits"}
    assert set(model(inputs)) == {"logits"}


@pytest.mark.long
def test_corruption_in_evaluation(inputs, labels, monkeypatch):
    model = compiled(meta_learner(corruption_in_evaluation=True))
    z = fix_corruption(model, monkeypatch)
    entropy, corruption = expected_losses(model, inputs, labels, np.ones(8), z)
    figures = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    assert figures["loss"] == pytest.approx(entropy.mean() + 0.3 * corruption.mean(), rel=1e-5)
    plain = model.without_heads()
    assert set(plain(inputs)) == {"logits"}


@pytest.mark.long
@pytest.mark.parametrize("shared", [False, True])
def test_labels_are_corrupted_anew_in_each_step_and_layer(shared, inputs, labels):
    # Nothing learns, so that only new labels can change the loss of the one batch.
    model = compiled(
        meta_learner(shared_corruption_head=shared, corruption_weight=1.0),
        keras.optimizers.SGD(0.0),
        # Traced at least once: there a draw could freeze into a constant.
        **({} if shared else traced()),
    )
    drawn = []
    domains = inputs["domain"]

    def losses(outputs):
        """What the next step should report, by the labels its generators are about to draw."""
        states = [h.seed_generator.state for h in model.corruption_heads]
        before = arrays(states)
        heads = model.corruption_heads
        z = [ops.convert_to_numpy(heads[i % len(heads)].corrupt(domains)) for i in range(2)]
        for state, value in zip(states, before, strict=True):
            state.assign(value)
        drawn.extend(z)
        corruption = [oracle.cross_entropy(outputs[:, i], z[i]) for i in range(2)]
        return np.mean(corruption)

    outputs = model(inputs, training=True)
    entropy = oracle.cross_entropy(ops.convert_to_numpy(outputs["logits"]), labels).mean()
    corruption = ops.convert_to_numpy(outputs["corruption"])
    for _ in range(3):
        expected = entropy + losses(corruption)
        loss = model.fit(inputs, labels, batch_size=8, shuffle=False, verbose=0).history["loss"][0]
        assert loss == pytest.approx(expected, rel=1e-4)
    assert len({tuple(z) for z in drawn}) == len(drawn) == 6


@pytest.mark.long
def test_seed_makes_the_corrupted_labels_reproducible(inputs):
    def draw(seed):
        heads = meta_learner(seed=seed).corruption_heads
        return [tuple(ops.convert_to_numpy(h.corrupt(inputs["domain"]))) for h in heads]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    first, second = draw(1)
    assert first != second  # the layers are not corrupted alike


def test_corruption_trains_the_layers_below_and_the_heads_alone(inputs, labels):
    model = compiled(meta_learner(corruption_layers=(0,)))
    before = arrays(model.backbone.transformer_layers[0].weights)
    above = arrays(model.backbone.transformer_layers[1].weights)
    class_head = model.class_head.get_weights()
    heads = arrays(model.corruption_heads[0].trainable_weights)
    # Typicality 0 silences the label loss; the corruption loss is not weighted here.
    model.weighted_corruption = False
    model.train_on_batch(inputs, labels, sample_weight=np.zeros(8, "float32"))
    below = model.backbone.transformer_layers[0].weights
    assert max(np.abs(a - b).max() for a, b in zip(arrays(below), before, strict=True)) > 1e-3
    for a, b in zip(arrays(model.backbone.transformer_layers[1].weights), above, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(model.class_head.get_weights(), class_head, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(arrays(model.corruption_heads[0].trainable_weights), heads, strict=True):
        assert (a != b).any()


def test_every_third_layer_by_default():
    model = MFTTextClassifier(tiny_backbone(), NUM_CLASSES, NUM_DOMAINS)
    assert model.corruption_layers == (1,)  # of two layers the last
    assert len(model.corruption_heads) == 1
    none = MFTTextClassifier(tiny_backbone(), NUM_CLASSES, NUM_DOMAINS, corruption_weight=0)
    assert none.corruption_heads == []


def test_config_round_trip():
    arguments = {
        "corruption_weight": 0.25,
        "corruption_layers": (1, 0),
        "corruption": "other",
        "shared_corruption_head": True,
        "weighted_corruption": False,
        "corruption_pools_padding": True,
        "corruption_in_evaluation": True,
        "seed": 11,
    }
    config = meta_learner(**arguments).get_config()
    assert {name: config[name] for name in arguments} == arguments
    copy = MFTTextClassifier.from_config(config)
    assert copy.get_config() == config
    assert [head.get_config() for head in copy.corruption_heads] == [
        {**copy.corruption_heads[0].get_config(), "corruption": "other", "seed": 11}
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"corruption_weight": -0.1}, "`corruption_weight` must be at least 0. Received: -0.1"),
        ({"corruption_weight": float("nan")}, "`corruption_weight`"),
        ({"corruption_layers": (2,)}, "indices from 0 to 1"),
        ({"corruption": "random"}, "`corruption` must be one of"),
        ({"corruption": "random", "corruption_weight": 0}, "`corruption` must be one of"),
        ({"num_domains": 0}, "`num_domains` must be an integer"),
    ],
)
def test_refuses(backbone, arguments, message):
    with pytest.raises(ValueError, match=message):
        MFTTextClassifier(backbone, **{"num_classes": 2, "num_domains": 3, **arguments})
