import keras
import numpy as np
import pytest
from scipy.special import erf

from easymft.errors import InputError
from easymft.models import MaskedLanguageModel
from tests.models.tiny import arrays, tiny_backbone

POSITIONS = np.array([[1, 3], [1, 0]] * 4, "int32")
OTHERS = ("Roberta", "XLMRoberta", "DistilBert", "DebertaV3")


def model_of(architecture="Bert"):
    extra = {"embedding_dim": 3} if architecture == "Albert" else {}
    extra |= {"bucket_size": 4} if architecture == "DebertaV3" else {}
    keras.utils.set_random_seed(1)  # of the head
    return MaskedLanguageModel(tiny_backbone(architecture, **extra))


def test_logits_are_products_with_the_word_embeddings(inputs):
    model = model_of()
    head = model.head
    head.set_weights([np.random.default_rng(3).normal(size=w.shape) for w in head.get_weights()])
    sequence = keras.ops.convert_to_numpy(model.encoder(tokens_of(model, inputs))["sequence"])
    at = np.take_along_axis(sequence, POSITIONS[..., None], axis=1)
    dense, norm = head._intermediate_dense, head._intermediate_layer_norm
    (kernel, bias), (gamma, beta) = arrays(dense.weights), arrays(norm.weights)
    x = at @ kernel + bias
    x = x * (1 + erf(x / np.sqrt(2))) / 2  # GELU
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + norm.epsilon)
    (embeddings,) = arrays(model.backbone.token_embedding.weights)
    expected = (x * gamma + beta) @ embeddings.T + arrays([head._bias])[0]
    found = model({**inputs, "mask_positions": POSITIONS})
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected, atol=1e-5)


def tokens_of(model, inputs):
    return {name: inputs[name] for name in model.encoder.input}


@pytest.mark.long
@pytest.mark.parametrize(
    "architecture",
    ["Bert", "Albert", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)],
)
def test_every_encoder_learns_to_tell_hidden_tokens(architecture, inputs):
    model = model_of(architecture)
    given = {**inputs, "mask_positions": POSITIONS}
    told = np.take_along_axis(inputs["token_ids"], POSITIONS, axis=1)
    model.compile(
        keras.optimizers.Adam(0.002),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,
        jit_compile=False,
    )
    before = arrays(model.backbone.token_embedding.weights)[0]
    unused = np.array([[1, 1], [1, 0]] * 4, "float32")
    losses = [model.train_on_batch(given, told, sample_weight=unused) for _ in range(4)]
    assert losses[-1] < losses[0]
    assert np.abs(arrays(model.backbone.token_embedding.weights)[0] - before).max() > 1e-3
    logits = keras.ops.convert_to_numpy(model(given)).astype("float64")
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -np.take_along_axis(logits, told[..., None], axis=-1)[..., 0] * unused
    found = model.test_on_batch(given, told, sample_weight=unused)
    assert found == pytest.approx(expected.mean(), rel=1e-5)


def test_it_saves_and_loads(reload, inputs):
    model, given = model_of(), {**inputs, "mask_positions": POSITIONS}
    np.testing.assert_allclose(
        *map(keras.ops.convert_to_numpy, (model(given), reload(model)(given)))
    )


def test_an_encoder_without_such_embeddings_is_refused():
    backbone = tiny_backbone()
    backbone.token_embedding = None
    with pytest.raises(InputError, match="no `token_embedding` that tells tokens"):
        MaskedLanguageModel(backbone)
