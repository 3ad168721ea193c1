import numpy as np
import pytest
from keras import ops

from easymft.models import TextClassifier
from easymft.models.new_classes import with_new_classes
from tests.layers import oracle
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, scramble, tiny_backbone


@pytest.fixture
def model():
    model = TextClassifier(tiny_backbone(), NUM_CLASSES, NUM_DOMAINS)
    scramble(model)
    return model


def logits(model, inputs):
    return ops.convert_to_numpy(model(inputs)["logits"])


@pytest.mark.long
def test_the_head_learns_a_new_class_and_keeps_what_it_said_of_the_others(model, inputs):
    before = logits(model, inputs)
    encoder = model.backbone.get_weights()
    labels = np.where(np.arange(8) % 2, before.argmax(axis=1), 2)
    grown = with_new_classes(model, inputs, labels, learning_rate=0.5, epochs=60)
    after = logits(grown, inputs)
    assert after.shape == (8, NUM_CLASSES + 1)
    np.testing.assert_allclose(after[:, :NUM_CLASSES], before, atol=1e-6)
    for one, other in zip(grown.backbone.get_weights(), encoder, strict=True):
        np.testing.assert_array_equal(one, other)
    untrained = np.concatenate([before, np.zeros((8, 1))], axis=1)
    losses = [oracle.cross_entropy(x, labels).mean() for x in (untrained, after)]
    assert losses[1] < 0.9 * losses[0]
    np.testing.assert_array_equal(logits(model, inputs), before)


def test_without_training_a_new_class_says_nothing(model, inputs):
    grown = with_new_classes(model, inputs, np.zeros(8, int), count=2, epochs=0)
    assert (logits(grown, inputs)[:, NUM_CLASSES:] == 0).all()


def test_labels_out_of_range_are_refused(model, inputs):
    for labels in ([3] * 8, [-1] * 8, [0.5] * 8):
        with pytest.raises(ValueError, match=r"`labels` must be in 0 \.\. 2"):
            with_new_classes(model, inputs, np.array(labels))


def test_domains_with_classes_of_their_own_are_refused(inputs):
    model = TextClassifier(tiny_backbone(), NUM_CLASSES, 3, label_sets=[[0], None, None])
    with pytest.raises(ValueError, match="`model` must be a classifier with one head"):
        with_new_classes(model, inputs, np.zeros(8, int))
