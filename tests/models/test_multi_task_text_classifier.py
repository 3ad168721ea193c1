import keras
import numpy as np
import pytest
from keras import ops

from easymft.models import MultiTaskTextClassifier
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, compiled, scramble


@pytest.fixture
def model(backbone):
    model = MultiTaskTextClassifier(backbone, NUM_CLASSES, NUM_DOMAINS, dropout=0.0)
    scramble(model.class_head)
    return model


def test_the_head_of_the_texts_own_domain_answers(model, inputs):
    kernel, bias = model.class_head.get_weights()
    embedding = ops.convert_to_numpy(model.embed(inputs))
    logits = compiled(model).predict(inputs, verbose=0)["logits"]
    assert logits.shape == (8, NUM_CLASSES)
    for text, domain in enumerate(inputs["domain"]):
        own = slice(domain * NUM_CLASSES, (domain + 1) * NUM_CLASSES)
        expected = embedding[text] @ kernel[:, own] + bias[own]
        np.testing.assert_allclose(logits[text], expected, atol=1e-5)


def test_a_domain_trains_its_own_head_alone(model, inputs, labels):
    before, _ = model.class_head.get_weights()
    only = {**inputs, "domain": np.ones(8, "int32")}
    compiled(model, keras.optimizers.SGD(1.0)).train_on_batch(only, labels)
    after, _ = model.class_head.get_weights()
    changed = (before != after).any(axis=0).reshape(NUM_DOMAINS, NUM_CLASSES)
    np.testing.assert_array_equal(changed, [[False, False], [True, True], [False, False]])


def test_where_no_head_is_the_texts_own_none_answers(model, inputs):
    other = {**inputs, "domain": np.array([0, -1, 2, 3, 1, 2, 0, 1])}
    unknown = [False, True, False, True, False, False, False, False]
    logits = ops.convert_to_numpy(model(other)["logits"])
    np.testing.assert_array_equal(np.isnan(logits).all(axis=1), unknown)
    np.testing.assert_array_equal(np.isnan(logits).any(axis=1), unknown)


def test_it_stays_itself_where_only_training_is_left_out(model):
    assert model.without_heads() is model


def test_num_domains_is_required(backbone):
    with pytest.raises(ValueError, match="`num_domains` is required"):
        MultiTaskTextClassifier(backbone, NUM_CLASSES)
