import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from easymft.export.precision import in_precision
from easymft.export.saved_model import write_saved_model
from easymft.models import AdaptedTextClassifier, MultiTaskTextClassifier
from tests.export.conftest import LABELS, expected, make_model

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
