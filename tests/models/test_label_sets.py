import keras
import numpy as np
import pytest
from keras import ops

from easymft.models import (
    AdaptedTextClassifier,
    AdversarialTextClassifier,
    MFTTextClassifier,
    MultiTaskTextClassifier,
    TextClassifier,
)
from easymft.models.label_sets import OUT_OF_REACH, allowed_classes
from tests.layers import oracle
from tests.models.tiny import NUM_DOMAINS, compiled, scramble, tiny_backbone

SETS = [[0, 2], None, [1]]  # of the inputs' three domains
NUM_CLASSES = 3
ALLOWED = np.array([[1, 0, 1], [1, 1, 1], [0, 1, 0]], bool)
KINDS = [
    TextClassifier,
    MFTTextClassifier,
    AdversarialTextClassifier,
    MultiTaskTextClassifier,
    AdaptedTextClassifier,
]


def new(kind, sets=SETS):
    keras.utils.set_random_seed(3)
    model = kind(tiny_backbone(), NUM_CLASSES, NUM_DOMAINS, dropout=0.0, label_sets=sets)
    scramble(model)
    return model


def logits(model, inputs):
    return ops.convert_to_numpy(model(inputs)["logits"])


def test_each_domain_has_its_classes_and_unknown_ones_have_all():
    expected = np.concatenate([ALLOWED, np.ones((1, 3), bool)])
    np.testing.assert_array_equal(allowed_classes(SETS, 3, 3), expected)
    expected[3] = [True, True, False]
    np.testing.assert_array_equal(allowed_classes([*SETS, [0, 1]], 3, 3), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_without_sets_or_out_of_reach(kind, inputs):
    found, free = logits(new(kind), inputs), logits(new(kind, None), inputs)
    expected = np.where(ALLOWED[inputs["domain"]], free, OUT_OF_REACH)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    probabilities = ops.convert_to_numpy(ops.softmax(found))
    assert (probabilities[~ALLOWED[inputs["domain"]]] == 0).all()


@pytest.mark.parametrize("kind", [TextClassifier, AdaptedTextClassifier])
def test_unknown_domains_may_have_any_class(kind, inputs):
    unknown = {**inputs, "domain": np.full(8, 7, "int32")}
    np.testing.assert_allclose(
        logits(new(kind), unknown), logits(new(kind, None), unknown), atol=1e-5
    )


def test_the_loss_knows_of_a_domains_own_classes_only(inputs):
    labels = np.array([0, 1, 1, 2, 0, 1, 1, 2], "int32")
    assert ALLOWED[inputs["domain"], labels].all()
    model = compiled(new(TextClassifier))
    loss = model.evaluate(inputs, labels, verbose=0, return_dict=True)["loss"]
    free, losses = logits(new(TextClassifier, None), inputs), []
    for row, label, domain in zip(free, labels, inputs["domain"], strict=True):
        own = np.flatnonzero(ALLOWED[domain])
        losses += list(oracle.cross_entropy(row[None, own], np.array([list(own).index(label)])))
    assert loss == pytest.approx(np.mean(losses), abs=1e-5)


@pytest.mark.long
def test_a_saved_model_keeps_them(inputs, tmp_path):
    model = new(MFTTextClassifier)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(logits(loaded, inputs), logits(model, inputs))
    np.testing.assert_array_equal(logits(loaded.without_heads(), inputs), logits(model, inputs))


@pytest.mark.parametrize("sets", [[[0]], [[0], [1], []], [[0], [1], [3]], [None] * 5])
def test_sets_that_do_not_fit_are_refused(sets):
    with pytest.raises(ValueError, match="`label_sets` must be"):
        allowed_classes(sets, 3, 3)
