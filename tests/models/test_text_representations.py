import keras
import numpy as np
import pytest
from keras import ops

from easymft.models import MFTTextClassifier, MultiTaskTextClassifier, TextClassifier
from easymft.models.text_representations import TextRepresentations
from tests.layers import oracle
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS


@pytest.mark.long
@pytest.mark.parametrize(
    "model_class", [TextClassifier, MFTTextClassifier, MultiTaskTextClassifier]
)
def test_gives_the_mean_token_of_each_layer(model_class, backbone, inputs):
    classifier = model_class(backbone, NUM_CLASSES, NUM_DOMAINS)
    vectors = TextRepresentations(classifier, (0, 1)).predict(inputs, verbose=0)
    assert set(vectors) == {"0", "1", "embedding"}
    hidden = keras.Model(backbone.input, [layer.output for layer in backbone.transformer_layers])
    for name, tokens in zip("01", hidden({k: inputs[k] for k in backbone.input}), strict=True):
        mean = oracle.masked_mean(ops.convert_to_numpy(tokens), inputs["padding_mask"])
        np.testing.assert_allclose(vectors[name], mean, atol=1e-5)
    np.testing.assert_allclose(vectors["embedding"], vectors["1"], atol=1e-6)
    assert np.abs(vectors["0"] - vectors["1"]).max() > 0.1


def test_gives_the_embedding_that_the_classifier_reads(backbone, inputs):
    classifier = TextClassifier(backbone, NUM_CLASSES, embedding="pooler")
    vectors = TextRepresentations(classifier, ())(inputs)
    assert set(vectors) == {"embedding"}
    np.testing.assert_allclose(vectors["embedding"], classifier.embed(inputs), atol=1e-6)


def test_half_precision_gives_float32(mixed_bfloat16, backbone, inputs):
    vectors = TextRepresentations(TextClassifier(backbone, NUM_CLASSES), (0,))(inputs)
    assert {keras.backend.standardize_dtype(v.dtype) for v in vectors.values()} == {"float32"}
