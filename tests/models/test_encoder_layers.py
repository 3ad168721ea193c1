"""Encoder layers that share what is traced of them, beside the same layers called one by one."""

import gc
import random
import weakref

import keras
import numpy as np
import pytest
from keras import ops

from easymft.models import AdaptedTextClassifier, TextClassifier
from easymft.models.cpu_kernels import encoder_layers, use_cpu_kernels
from tests.models.tiny import NUM_CLASSES, tiny_backbone

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="they are TensorFlow's"),
    pytest.mark.long,
]


@pytest.fixture(autouse=True)
def functions(monkeypatch):
    """What is shared, nothing yet."""
    functions = {}
    monkeypatch.setattr(encoder_layers, "_functions", functions)
    return functions


def classifier(rate=0.25, dtype="float32", seed=0):
    model = TextClassifier(tiny_backbone(dropout=rate, dtype=dtype, seed=seed), NUM_CLASSES)
    use_cpu_kernels(model)
    return model


def texts(count=4):
    tokens = np.random.default_rng(0).integers(1, 20, (count, 8)).astype("int32")
    mask = np.ones_like(tokens)
    mask[0, 5:] = 0
    return {"token_ids": tokens, "padding_mask": mask, "segment_ids": np.zeros_like(tokens)}


def trained_on(model, in_graph, training=True):
    """Logits, gradients of all weights, and random states afterwards, of one step."""
    import tensorflow as tf

    model.set_random_states([(7, number) for number in range(len(model.random_states))])

    def step():
        with tf.GradientTape() as tape:
            logits = model(texts(), training=training)["logits"]
            loss = ops.sum(logits[:, 0] ** 2)
        # Rows of an embedding's gradient are added up below.
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        return logits, [tf.convert_to_tensor(gradient) for gradient in gradients]

    logits, gradients = tf.function(step, autograph=False)() if in_graph else step()
    states = [ops.convert_to_numpy(state) for state in model.random_states]
    return ops.convert_to_numpy(logits), [np.asarray(g, np.float32) for g in gradients], states


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-5), ("mixed_bfloat16", 2**-6)])
def test_a_shared_layer_computes_learns_and_draws_as_each_by_itself(training, dtype, error):
    model = classifier(dtype=dtype)
    together, alone = (trained_on(model, in_graph, training) for in_graph in (True, False))
    np.testing.assert_allclose(together[0], alone[0], rtol=error, atol=error)
    for own, expected in zip(together[1], alone[1], strict=True):
        np.testing.assert_allclose(own, expected, atol=error * max(1, np.abs(expected).max()))
    np.testing.assert_array_equal(together[2], alone[2])
    drew = [tuple(state) != (7, number) for number, state in enumerate(together[2])]
    assert any(drew) == training


def test_layers_of_a_kind_are_traced_once_for_all_models(functions):
    first, second = classifier(), classifier(seed=1)
    for model in (first, second):
        trained_on(model, in_graph=True)
    (function,) = functions.values()
    assert function.experimental_get_tracing_count() == 1
    # Not its weights: each model answers by its own.
    own = [trained_on(model, True)[0] for model in (first, second)]
    assert not np.allclose(*own)
    for model, logits in zip((first, second), own, strict=True):
        np.testing.assert_allclose(logits, trained_on(model, in_graph=False)[0], atol=1e-5)


@pytest.mark.parametrize("other", [{"rate": 0.5}, {"dtype": "mixed_bfloat16"}])
def test_layers_that_compute_otherwise_share_nothing(functions, other):
    trained_on(classifier(), in_graph=True)
    trained_on(classifier(**other), in_graph=True)
    assert len(functions) == 2


def test_nothing_else_draws_otherwise_and_no_model_is_kept():
    model = classifier()
    kept, drawn = weakref.ref(model.backbone), random.getstate()
    trained_on(model, in_graph=True)
    assert random.getstate() == drawn
    del model
    gc.collect()
    assert kept() is None


def test_layers_with_parts_of_domains_are_left_alone(functions):
    model = AdaptedTextClassifier(tiny_backbone(), NUM_CLASSES, 3, parts="bias")
    use_cpu_kernels(model)
    import tensorflow as tf

    tf.function(lambda: model({**texts(), "domain": np.arange(4) % 3}), autograph=False)()
    assert not functions


def test_layers_that_were_changed_since_they_were_made_are_left_alone(functions):
    import tensorflow as tf

    model = classifier(rate=0.0)
    for layer in model.backbone.transformer_layers:
        layer._feedforward_output_dense.quantize("int8")
    use_cpu_kernels(model)
    alone = model(texts())["logits"]
    together = tf.function(lambda: model(texts())["logits"], autograph=False)()
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert [*functions.values()] == [None]
