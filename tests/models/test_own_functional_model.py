"""The layers in a functional model of the user's own, around several keras-hub encoders."""

import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

from easymft import DomainCorruptionHead, MaskedMeanPooling, TypicalityWeighting
from easymft.models import encoder
from tests.layers import oracle
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, SIZES, WIDTH, arrays, scramble

BACKBONES = ["Bert", "DistilBert", "Roberta", "DebertaV3"]


def build(architecture):
    """What a user would write: one encoder, a class head, a corruption head on a lower layer."""
    backbone = getattr(keras_hub.models, f"{architecture}Backbone")(**SIZES, dropout=0.0)
    scramble(backbone)
    tokens = {name: keras.Input((None,), dtype="int32", name=name) for name in backbone.input}
    domain = keras.Input((), dtype="int32", name="domain")
    encoded = encoder(backbone, [0])(tokens)
    mask = tokens["padding_mask"]
    text = MaskedMeanPooling(name="text")(encoded["sequence"], mask=mask)
    hidden = MaskedMeanPooling(name="hidden")(encoded["hidden"][0], mask=mask)
    head = DomainCorruptionHead(NUM_DOMAINS, seed=3, name="corruption_head")
    outputs = {
        "label": keras.layers.Dense(NUM_CLASSES, name="class_head")(text),
        "corruption": head(hidden, domain),
    }
    model = keras.Model({**tokens, "domain": domain}, outputs)
    return model, keras.Model(tokens, text), head


@pytest.mark.long
@pytest.mark.parametrize("architecture", BACKBONES)
def test_a_functional_model_is_meta_fine_tuned(architecture, inputs, labels, reload, tmp_path):
    model, embedder, head = build(architecture)
    own = {name: inputs[name] for name in model.input}
    domains = inputs["domain"]

    embeddings = embedder.predict({name: inputs[name] for name in embedder.input}, verbose=0)
    weighting = TypicalityWeighting(NUM_DOMAINS, NUM_CLASSES)
    weighting.adapt(embeddings, labels, domains)
    typicality = ops.convert_to_numpy(weighting(embeddings, labels, domains))
    cells = oracle.centroids(embeddings, labels, domains, NUM_DOMAINS, NUM_CLASSES)
    rows = zip(embeddings, labels, domains, strict=True)
    expected = [max(oracle.typicality(*row, cells, np.eye(NUM_CLASSES)), 0) for row in rows]
    np.testing.assert_allclose(typicality, expected, atol=1e-5)

    z = ops.convert_to_numpy(head.corrupt(domains))
    model.compile(
        keras.optimizers.Adam(0.01),
        {
            name: keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            for name in model.output
        },
        loss_weights={"label": 1.0, "corruption": 0.1},
        run_eagerly=keras.backend.backend() == "tensorflow",
        jit_compile=keras.backend.backend() == "jax",
    )
    targets = {"label": labels, "corruption": z}
    weights = {"label": typicality, "corruption": typicality}
    outputs = model.predict(own, verbose=0)
    cross_entropies = {name: oracle.cross_entropy(outputs[name], targets[name]) for name in targets}
    before = arrays(head.trainable_variables)
    history = model.fit(own, targets, sample_weight=weights, batch_size=8, epochs=6, verbose=0)
    losses = history.history["loss"]
    # The first loss is the method's own, and training lowers it.
    first = np.mean(typicality * (cross_entropies["label"] + 0.1 * cross_entropies["corruption"]))
    assert losses[0] == pytest.approx(first, rel=1e-4)
    assert losses[-1] < losses[0]
    # No weight of the corruption head stands still.
    after = arrays(head.trainable_variables)
    assert all(np.abs(a - b).max() > 0 for a, b in zip(before, after, strict=True))

    if architecture == "DebertaV3":
        # Its layers, taken out of their backbone, are not built when Keras loads a whole model: a
        # layer norm of keras-hub's gets its weights outside `build`. Weights alone can be loaded.
        model.save_weights(tmp_path / "model.weights.h5")
        loaded, _, _ = build(architecture)
        loaded.load_weights(tmp_path / "model.weights.h5")
    else:
        loaded = reload(model)
    for name, output in model.predict(own, verbose=0).items():
        np.testing.assert_allclose(loaded.predict(own, verbose=0)[name], output, atol=1e-6)


def test_typicality_weighting_is_a_layer_of_a_functional_model(reload):
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(12, WIDTH)).astype("float32")
    labels, domains = np.arange(12) % NUM_CLASSES, np.arange(12) % NUM_DOMAINS
    weighting = TypicalityWeighting(NUM_DOMAINS, NUM_CLASSES, clip=None)
    weighting.adapt(embeddings, labels, domains)
    text = keras.Input((WIDTH,), name="text")
    label, domain = (keras.Input((), dtype="int32", name=name) for name in ("label", "domain"))
    model = keras.Model([text, label, domain], weighting(text, label, domain))
    assert model.output.shape == (None,)
    cells = oracle.centroids(embeddings, labels, domains, NUM_DOMAINS, NUM_CLASSES)
    rows = zip(embeddings, labels, domains, strict=True)
    expected = [oracle.typicality(*row, cells, np.eye(NUM_CLASSES)) for row in rows]
    for scorer in (model, reload(model)):  # the centroids are saved with the model
        scores = ops.convert_to_numpy(scorer([embeddings, labels, domains]))
        np.testing.assert_allclose(scores, expected, atol=1e-5)
