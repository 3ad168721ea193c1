import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from easymft.export.op_check import check_ops
from easymft.export.precision import in_precision
from easymft.export.saved_model import write_saved_model
from easymft.models import AdaptedTextClassifier, MultiTaskTextClassifier
from easymft.models.familiarity import Familiarity
from easymft.models.sublayers import all_layers
from tests.export.conftest import DOMAINS, LABELS, expected, make_model

TEXTS = ["good", "the cafe is bad !", "good goods bad"]


@pytest.fixture(scope="module")
def mixed():
    return make_model(3, dtype="mixed_bfloat16")


@pytest.fixture(scope="module")
def plain(mixed):
    model = make_model(3)
    model.set_weights(mixed.get_weights())
    return model


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_a_model_that_is_so_already_is_left_alone(plain, precision):
    assert in_precision(plain, precision) is plain


def test_weights_that_are_rounded_once_answer_as_those_rounded_each_time(mixed, preprocessor):
    twin = in_precision(mixed, "auto")
    assert {v.dtype for v in twin.backbone.weights} == {"bfloat16"}
    assert {v.dtype for v in twin.class_head.weights} == {"float32"}
    before = expected(mixed, preprocessor, TEXTS)
    np.testing.assert_allclose(expected(twin, preprocessor, TEXTS), before, atol=1e-6)
    # Or it would say nothing that they are alike.
    assert (
        np.abs(expected(in_precision(mixed, "float32"), preprocessor, TEXTS) - before).max() > 1e-4
    )


def test_float32_computes_with_the_weights_as_they_were_trained(mixed, plain, preprocessor):
    twin = in_precision(mixed, "float32")
    assert {v.dtype for v in twin.backbone.weights} == {"float32"}
    answers = expected(plain, preprocessor, TEXTS)
    np.testing.assert_allclose(expected(twin, preprocessor, TEXTS), answers, atol=1e-6)


def test_other_classifiers_keep_their_heads():
    model = make_model(4, MultiTaskTextClassifier, dtype="mixed_bfloat16")
    twin = in_precision(model, "auto")
    assert type(twin) is MultiTaskTextClassifier
    for one, other in zip(model.class_head.weights, twin.class_head.weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))


def test_small_parts_of_domains_come_along(preprocessor):
    model = make_model(5, AdaptedTextClassifier, dtype="mixed_bfloat16")
    random = np.random.default_rng(5)
    for layer in (*model.adapters, model.head_adapters):
        for weight in layer.weights:
            weight.assign(random.normal(size=weight.shape))
    twin = in_precision(model, "auto")
    answers = [expected(one, preprocessor, TEXTS, domain=1) for one in (model, twin)]
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-6)
    other = expected(twin, preprocessor, TEXTS, domain=2)
    assert np.abs(other - answers[1]).max() > 0.01  # they are the domain's own


@pytest.mark.long
def test_a_graph_holds_its_weights_in_its_precision(tmp_path, mixed, plain, preprocessor):
    sizes = {}
    for precision in ("bfloat16", "float32"):
        folder = tmp_path / precision
        write_saved_model(folder, mixed, preprocessor, LABELS, precision=precision)
        found = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        kinds = found.get_variable_to_dtype_map()
        sizes[precision] = {
            name: kind for name, kind in kinds.items() if kind in (tf.bfloat16, tf.float32)
        }
        serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
        answers = serve(text=tf.constant(TEXTS))["probabilities"]
        model = mixed if precision == "bfloat16" else plain
        # TensorFlow joins a graph's ops, and bfloat16 between them has 8 bits.
        error = 1e-3 if precision == "bfloat16" else 1e-6
        np.testing.assert_allclose(answers, expected(model, preprocessor, TEXTS), atol=error)
    assert set(sizes["float32"].values()) == {tf.float32}
    held = list(sizes["bfloat16"].values())
    assert held.count(tf.float32) == 2  # the class head
    assert held.count(tf.bfloat16) == len(mixed.backbone.weights)


def in_eight_bits(weight, axes):
    """Numbers of -127 to 127 times a scale that is the largest's, over these axes."""
    scale = np.abs(weight).max(axis=axes, keepdims=True) / 127
    return np.round(weight / scale) * scale


def of_eight_bits(plain):
    """A copy of a model with the weights that int8 has room for, worked out here."""
    copy, rounded = plain.twin(), set()
    for layer in all_layers(copy.backbone):
        for weight in layer.weights if layer in leaves(copy) else ():
            if weight.name == "embeddings" and layer.name != "position_embedding":
                axes = -1
            elif weight.name == "kernel":
                # Into a number a column; out of attention both axes of the heads are summed over.
                axes = (0, 1) if layer.name == "attention_output" else 0
            else:
                continue
            weight.assign(in_eight_bits(ops.convert_to_numpy(weight), axes))
            rounded.add(layer.name)
    assert {"token_embedding", "query", "attention_output"} <= rounded
    return copy


def leaves(model):
    return [x for x in all_layers(model.backbone) if len(all_layers(x)) == 1]


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_int8_answers_as_weights_of_eight_bits_do(plain, mixed, preprocessor, dtype):
    model = plain if dtype == "float32" else mixed
    before = [ops.convert_to_numpy(weight) for weight in model.weights]
    twin = in_precision(model, "int8")
    answers = expected(of_eight_bits(plain), preprocessor, TEXTS)
    np.testing.assert_allclose(expected(twin, preprocessor, TEXTS), answers, atol=1e-5)
    assert np.abs(answers - expected(plain, preprocessor, TEXTS)).max() > 1e-5
    for weight, value in zip(model.weights, before, strict=True):  # which is left as it was
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), value)


@pytest.mark.parametrize("parts", ["lora", "bias", "head"])
def test_int8_with_small_parts_of_domains(preprocessor, parts):
    model, random = make_model(5, AdaptedTextClassifier), np.random.default_rng(5)
    kernels = ("query", "value", "feed_forward") if parts == "lora" else ("query", "value")
    config = {**model.get_config(), "parts": parts, "kernels": kernels}
    model = AdaptedTextClassifier.from_config(config)
    for weight in model.weights:
        if "float" in weight.dtype:
            weight.assign(random.normal(size=weight.shape))
    twin = in_precision(model, "int8")
    answers = expected(of_eight_bits(model), preprocessor, TEXTS, domain=1)
    np.testing.assert_allclose(expected(twin, preprocessor, TEXTS, domain=1), answers, atol=1e-5)


@pytest.mark.long
def test_a_graph_in_int8_is_small_and_answers_all_that_others_do(tmp_path, plain, preprocessor):
    texts, codes, domains = [np.array([5, 6]), np.array([6, 7])], np.array([0, 1]), DOMAINS[:2]
    table = ops.convert_to_numpy(plain.backbone.token_embedding.embeddings)
    known = Familiarity.fit(texts, codes, codes, domains, len(LABELS), table)
    answers = {}
    for precision in ("float32", "int8"):
        folder = tmp_path / precision
        settings = {"familiarity": known, "precision": precision}
        write_saved_model(folder, plain, preprocessor, LABELS, domains, **settings)
        serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
        answers[precision] = serve(text=tf.constant(TEXTS))
        check_ops(folder)
    found = tf.train.load_checkpoint(str(tmp_path / "int8" / "variables" / "variables"))
    kinds, shapes = found.get_variable_to_dtype_map(), found.get_variable_to_shape_map()
    in_bytes = [shapes[name] for name, kind in kinds.items() if kind == tf.int8]
    # All of the encoder but the table of positions, which no matrix product asks for.
    matrices = [
        list(weight.shape)
        for layer in leaves(plain)
        for weight in layer.weights
        if weight.name in ("kernel", "embeddings") and layer.name != "position_embedding"
    ]
    assert sorted(in_bytes) == sorted(matrices)
    np.testing.assert_allclose(
        answers["int8"]["probabilities"],
        expected(of_eight_bits(plain), preprocessor, TEXTS),
        atol=1e-5,
    )
    familiarity = [answers[precision]["familiarity"] for precision in ("int8", "float32")]
    np.testing.assert_allclose(*familiarity, atol=0.05)
