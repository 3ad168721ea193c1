import keras
import numpy as np
import pytest
from keras import ops

from easymft.models import MFTTextClassifier, MultiTaskTextClassifier, TextClassifier, TextEmbedder
from tests.layers import oracle
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, WIDTH, scramble


def mean_tokens(backbone, inputs):
    sequence = backbone({name: inputs[name] for name in backbone.input})["sequence_output"]
    return oracle.masked_mean(ops.convert_to_numpy(sequence), inputs["padding_mask"])


@pytest.mark.long
@pytest.mark.parametrize("model_class", [MFTTextClassifier, MultiTaskTextClassifier])
def test_gives_the_mean_token_of_each_text(model_class, backbone, inputs):
    embedder = TextEmbedder(model_class(backbone, NUM_CLASSES, NUM_DOMAINS))
    embeddings = embedder.predict(inputs, verbose=0)
    assert embeddings.shape == (8, WIDTH)
    assert embeddings.dtype == "float32"
    np.testing.assert_allclose(embeddings, mean_tokens(backbone, inputs), atol=1e-5)


def test_gives_the_pooled_output_where_the_classifier_reads_it(backbone, inputs):
    embedder = TextEmbedder(TextClassifier(backbone, NUM_CLASSES, embedding="pooler"))
    pooled = backbone({name: inputs[name] for name in backbone.input})["pooled_output"]
    np.testing.assert_allclose(embedder(inputs), pooled, atol=1e-6)


def test_shares_the_encoder(backbone, inputs):
    classifier = TextClassifier(backbone, NUM_CLASSES)
    embedder = TextEmbedder(classifier)
    before = ops.convert_to_numpy(embedder(inputs))
    scramble(classifier.backbone, seed=9)
    after = ops.convert_to_numpy(embedder(inputs))
    assert np.abs(after - before).max() > 0.1
    np.testing.assert_allclose(after, mean_tokens(backbone, inputs), atol=1e-5)


def test_half_precision_gives_float32_embeddings(mixed_bfloat16, backbone, inputs):
    embedder = TextEmbedder(TextClassifier(backbone, NUM_CLASSES))
    assert keras.backend.standardize_dtype(embedder(inputs).dtype) == "float32"


@pytest.mark.long
def test_save_load_and_config_round_trip(backbone, inputs, reload):
    embedder = TextEmbedder(MFTTextClassifier(backbone, NUM_CLASSES, NUM_DOMAINS), name="e")
    loaded = reload(embedder)
    assert type(loaded.classifier) is MFTTextClassifier
    assert loaded.get_config() == embedder.get_config()
    np.testing.assert_array_equal(
        ops.convert_to_numpy(loaded(inputs)), ops.convert_to_numpy(embedder(inputs))
    )
