import numpy as np
import pytest
import scipy.optimize
from keras import ops

from easymft.models import AdaptedTextClassifier, MultiTaskTextClassifier, TextClassifier
from easymft.models.new_classes import fit_new_classes, with_new_classes
from tests.layers import oracle
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, scramble, tiny_backbone


@pytest.fixture(params=[TextClassifier, AdaptedTextClassifier])
def model(request):
    model = request.param(tiny_backbone(), NUM_CLASSES, NUM_DOMAINS)
    scramble(model)
    return model


def logits(model, inputs):
    return ops.convert_to_numpy(model(inputs)["logits"])


def test_the_head_learns_new_classes_and_keeps_what_it_said_of_the_others(model, inputs, reload):
    before = logits(model, inputs)
    encoder = model.backbone.get_weights()
    labels = np.where(np.arange(8) % 2, before.argmax(axis=1), 2)
    grown = with_new_classes(model, inputs, labels)
    after = logits(grown, inputs)
    assert after.shape == (8, NUM_CLASSES + 1)
    np.testing.assert_array_equal(after[:, :NUM_CLASSES], before)
    for one, other in zip(grown.backbone.get_weights(), encoder, strict=True):
        np.testing.assert_array_equal(one, other)
    untrained = np.concatenate([before, np.zeros((8, 1))], axis=1)
    losses = [oracle.cross_entropy(x, labels).mean() for x in (untrained, after)]
    assert losses[1] < 0.9 * losses[0]
    np.testing.assert_array_equal(logits(model, inputs), before)

    # One more, beside the first.
    twice = with_new_classes(grown, inputs, np.where(np.arange(8) < 4, labels, 3))
    found = logits(twice, inputs)
    assert found.shape == (8, NUM_CLASSES + 2)
    np.testing.assert_array_equal(found[:, :-1], after)
    np.testing.assert_array_equal(logits(reload(twice), inputs), found)


def test_their_weights_are_the_least_of_the_penalized_loss():
    random = np.random.default_rng(0)
    x, known = random.normal(size=(30, 3)), random.normal(size=(30, 2))
    labels, weights = random.integers(0, 4, 30), random.uniform(0.5, 2, 30)
    found = fit_new_classes(x, known, labels, ["c", "d"], weights)

    def loss(flat):
        kernel, bias = flat[:6].reshape(3, 2), flat[6:]
        whole = np.concatenate([known, x @ kernel + bias], axis=1)
        return (weights * oracle.cross_entropy(whole, labels)).sum() + (kernel**2).sum() / 2

    # Without gradients, and so not by our own.
    best = scipy.optimize.minimize(loss, np.zeros(8), method="Powell", tol=1e-10).x
    np.testing.assert_allclose(found.kernel, best[:6].reshape(3, 2), atol=1e-3)
    np.testing.assert_allclose(found.bias, best[6:], atol=1e-3)


def test_new_classes_have_names_where_the_others_have(inputs):
    model = TextClassifier(tiny_backbone(), NUM_CLASSES, labels=["bad", "good"])
    labels = np.arange(8) % 4
    grown = with_new_classes(model, inputs, labels, 2, ["odd", "worse"])
    assert grown.labels == ["bad", "good", "odd", "worse"]
    with pytest.raises(ValueError, match="`names` must be 2 names"):
        with_new_classes(model, inputs, labels, 2, ["odd"])


def test_labels_out_of_range_are_refused(model, inputs):
    for labels in ([3] * 8, [-1] * 8, [0.5] * 8):
        with pytest.raises(ValueError, match=r"`labels` must be in 0 \.\. 2"):
            with_new_classes(model, inputs, np.array(labels))


def test_domains_with_classes_or_heads_of_their_own_are_refused(inputs):
    sets = TextClassifier(tiny_backbone(), NUM_CLASSES, 3, label_sets=[[0], None, None])
    heads = MultiTaskTextClassifier(tiny_backbone(), NUM_CLASSES, 3)
    for model in (sets, heads):
        with pytest.raises(ValueError, match="`model` must be a classifier with one head"):
            with_new_classes(model, inputs, np.zeros(8, int))
    for late in (2, -1):
        with pytest.raises(ValueError, match="`later_classes` must be"):
            TextClassifier(tiny_backbone(), NUM_CLASSES, later_classes=late)
    with pytest.raises(ValueError, match="`later_classes` must be"):
        MultiTaskTextClassifier(tiny_backbone(), 3, 3, later_classes=1)
