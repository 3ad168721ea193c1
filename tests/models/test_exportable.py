"""`model.export(...)`, as any Keras model has it."""

import keras
import numpy as np
import pytest

from easymft.models import (
    AdversarialTextClassifier,
    MFTTextClassifier,
    MultiTaskTextClassifier,
    TextClassifier,
    TextEmbedder,
    use_cpu_kernels,
)
from easymft.models.text_representations import TextRepresentations
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, compiled, scramble, tiny_backbone

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
MODELS = [TextClassifier, MFTTextClassifier, MultiTaskTextClassifier, AdversarialTextClassifier]


def new(model_class, **kwargs):
    model = model_class(tiny_backbone(**kwargs), NUM_CLASSES, NUM_DOMAINS)
    scramble(model.class_head)
    return model


def served(model, inputs, folder, **kwargs):
    """What the exported model answers, and the names of its inputs."""
    tf = pytest.importorskip("tensorflow")
    model.export(folder, verbose=False, **kwargs)
    loaded = tf.saved_model.load(folder)
    answers = loaded.serve({name: tf.constant(array) for name, array in inputs.items()})
    _, names = loaded.signatures["serving_default"].structured_input_signature
    return keras.tree.map_structure(lambda tensor: tensor.numpy(), answers), set(names)


def assert_answers_alike(model, inputs, folder, **kwargs):
    answers, names = served(model, inputs, folder, **kwargs)
    assert names == set(inputs)
    expected = model.predict(inputs, verbose=0)
    keras.tree.map_structure(
        lambda ours, theirs: np.testing.assert_allclose(ours, theirs, atol=1e-5), answers, expected
    )


@pytest.mark.long
@pytest.mark.skipif(not ON_TENSORFLOW, reason="JAX needs a length")
@pytest.mark.parametrize("model_class", MODELS)
def test_before_and_after_fit(model_class, inputs, labels, tmp_path):
    model = new(model_class, dropout=0.1)
    assert_answers_alike(model, inputs, tmp_path / "new")
    compiled(model).fit(inputs, labels, verbose=0)
    shorter = {
        name: array[:3, :4] if array.ndim == 2 else array[:3] for name, array in inputs.items()
    }
    assert_answers_alike(model, shorter, tmp_path / "trained")


@pytest.mark.long
@pytest.mark.skipif(not ON_TENSORFLOW, reason="JAX needs a length")
@pytest.mark.parametrize(
    "of_classifier",
    [
        TextEmbedder,
        lambda model: TextRepresentations(model, (0, 1)),
        lambda model: model.without_heads(),
    ],
    ids=["embedder", "representations", "without_heads"],
)
def test_what_is_made_of_a_classifier(of_classifier, inputs, tmp_path):
    assert_answers_alike(of_classifier(new(MFTTextClassifier)), inputs, tmp_path / "export")


@pytest.mark.long
@pytest.mark.skipif(not ON_TENSORFLOW, reason="JAX needs a length")
@pytest.mark.parametrize("architecture", ["Roberta", "DistilBert"])
def test_without_segments_and_domains(architecture, inputs, tmp_path):
    model = TextClassifier(tiny_backbone(architecture), NUM_CLASSES)
    tokens = {name: inputs[name] for name in ("token_ids", "padding_mask")}
    assert_answers_alike(model, tokens, tmp_path / "export")


@pytest.mark.long
@pytest.mark.skipif(not ON_TENSORFLOW, reason="JAX needs a length")
def test_token_ids_that_half_precision_cannot_hold(inputs, tmp_path, mixed_bfloat16):
    model = new(TextClassifier, vocabulary_size=1000)
    many = {**inputs, "token_ids": inputs["token_ids"] + 901}  # bfloat16 counts by fours there
    answers, _ = served(model, many, tmp_path / "export")
    rounded = {**many, "token_ids": many["token_ids"] // 4 * 4}
    apart, from_rounded = (
        np.abs(answers["logits"] - model.predict(x, verbose=0)["logits"]).max()
        for x in (many, rounded)
    )
    assert from_rounded > 0.02
    assert apart < from_rounded / 5  # what half precision rounds elsewhere


@pytest.mark.long
@pytest.mark.skipif(not ON_TENSORFLOW, reason="they are TensorFlow's")
def test_fused_kernels_stay_out_of_an_export(inputs, tmp_path):
    model = new(TextClassifier, dropout=0.1)
    use_cpu_kernels(model)
    assert_answers_alike(model, inputs, tmp_path / "export")
    assert b"_XlaMustCompile" not in (tmp_path / "export" / "saved_model.pb").read_bytes()
    assert any(hasattr(getattr(x, "activation", None), "of_keras") for x in model._flatten_layers())


@pytest.mark.long
def test_of_texts_of_one_length(inputs, tmp_path):
    model = new(MFTTextClassifier)
    signature = [model.input_signature(length=5)]
    assert_answers_alike(model, inputs, tmp_path / "export", input_signature=signature)
