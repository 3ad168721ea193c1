import keras
import numpy as np
import pytest
from keras import ops

from easymft.models import AdversarialTextClassifier
from tests.layers import oracle
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, arrays, compiled, scramble, tiny_backbone

# 2 / (1 + exp(-10 p)) - 1 at p = 0, 1/4, 1/2, 3/4 and 1.
RAMP = (0.0, 0.8482836, 0.9866143, 0.9988944, 0.9999092)


def adversary(**arguments):
    model = AdversarialTextClassifier(
        tiny_backbone(), NUM_CLASSES, NUM_DOMAINS, dropout=0.0, **arguments
    )
    scramble(model.class_head, 1)
    scramble(model.domain_head, 2)
    return compiled(model, keras.optimizers.SGD(1.0))


def domain_classifier(domain_head):
    """What the domain head would be with an encoder that helps it."""
    backbone = tiny_backbone()
    mask = ops.cast(backbone.input["padding_mask"], "float32")[..., None]
    mean = ops.sum(backbone.output["sequence_output"] * mask, axis=1) / ops.sum(mask, axis=1)
    head = keras.layers.Dense(NUM_DOMAINS)
    model = compiled(keras.Model(backbone.input, head(mean)), keras.optimizers.SGD(1.0))
    head.set_weights(domain_head.get_weights())
    return model, backbone, head


@pytest.fixture(scope="module")
def helping(inputs):
    """One step of SGD of the plain domain classifier: what it adds to encoder and head."""
    model, backbone, head = domain_classifier(adversary().domain_head)
    before = [arrays(part.weights) for part in (backbone, head)]
    model.train_on_batch({name: inputs[name] for name in backbone.input}, inputs["domain"])
    return [
        [new - old for new, old in zip(arrays(part.weights), weights, strict=True)]
        for part, weights in zip((backbone, head), before, strict=True)
    ]


@pytest.mark.long
@pytest.mark.parametrize(
    ("ramp_steps", "steps_done", "full", "strength"),
    [
        (0, 0, 1.0, 1.0),
        (0, 0, 0.5, 0.5),
        (4, 0, 1.0, RAMP[0]),
        (4, 1, 1.0, RAMP[1]),
        (4, 1, 0.5, RAMP[1] / 2),
        (4, 9, 1.0, RAMP[4]),
    ],
)
def test_the_encoder_learns_the_reverse_of_what_the_domain_head_learns(
    ramp_steps, steps_done, full, strength, helping, inputs, labels
):
    model = adversary(ramp_steps=ramp_steps, strength=full)
    model.steps.assign(steps_done)
    parts = (model.backbone, model.domain_head)
    before = [arrays(part.weights) for part in parts]
    # Weights of 0 silence the label loss: what is learned comes from the domains.
    model.train_on_batch(inputs, labels, sample_weight=np.zeros(8, "float32"))
    assert max(np.abs(change).max() for change in helping[0]) > 0.05
    for part, weights, changes, sign in zip(parts, before, helping, (-strength, 1.0), strict=True):
        for new, old, change in zip(arrays(part.weights), weights, changes, strict=True):
            np.testing.assert_allclose(new - old, sign * change, rtol=1e-4, atol=2e-6)


@pytest.mark.long
def test_the_ramp_rises_with_each_training_step(inputs, labels):
    model = adversary(ramp_steps=4)
    strengths = []
    for step in range(6):
        assert float(model.steps) == step
        strengths.append(float(model._strength()))
        model(inputs, training=True)
    assert strengths == pytest.approx([*RAMP, RAMP[-1]], abs=1e-6)
    model.evaluate(inputs, labels, verbose=0)
    model.predict(inputs, verbose=0)
    assert float(model.steps) == 6  # only training counts
    model.fit(inputs, labels, epochs=2, verbose=0)
    assert float(model.steps) == 8


@pytest.mark.long
def test_loss_adds_the_domain_loss_in_training_only(inputs, labels, typicality):
    model = adversary()
    kernel, bias = model.domain_head.get_weights()
    outputs = model(inputs, training=True)
    embedding = ops.convert_to_numpy(model.embed(inputs))
    domain_loss = oracle.cross_entropy(embedding @ kernel + bias, inputs["domain"]).mean()
    entropy = oracle.cross_entropy(ops.convert_to_numpy(outputs["logits"]), labels)
    label_loss = (typicality * entropy).mean()
    loss = model.compute_loss(inputs, labels, outputs, typicality)
    assert float(loss) == pytest.approx(label_loss + domain_loss, rel=1e-5)
    figures = model.evaluate(inputs, labels, sample_weight=typicality, verbose=0, return_dict=True)
    assert figures["loss"] == pytest.approx(label_loss, rel=1e-5)
    assert set(model.predict(inputs, verbose=0)) == {"logits"}
    assert set(model(inputs)) == {"logits"}


@pytest.mark.parametrize("argument", ["ramp_steps", "strength"])
def test_no_argument_is_negative(argument):
    with pytest.raises(ValueError, match=rf"`{argument}` must be .*at least 0.* Received: .*-1"):
        adversary(**{argument: -1})
