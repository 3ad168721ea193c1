import keras
import numpy as np

from easymft.layers import MaskedMeanPooling
from tests.layers import oracle


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def test_hand_worked():
    tokens = np.array([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]], "float32")
    layer = MaskedMeanPooling()
    np.testing.assert_allclose(to_numpy(layer(tokens, mask=np.array([[1, 1, 0]]))), [[2.0, 3.0]])
    np.testing.assert_allclose(to_numpy(layer(tokens)), [[13 / 3, 5.0]], rtol=1e-6)


def test_equals_oracle():
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(6, 9, 5)).astype("float32")
    mask = np.arange(9) < rng.integers(0, 10, size=(6, 1))
    np.testing.assert_allclose(
        to_numpy(MaskedMeanPooling()(tokens, mask=mask)),
        oracle.masked_mean(tokens, mask),
        atol=1e-6,
    )


def test_row_without_tokens_gives_zeros():
    tokens = np.ones((2, 3, 4), "float32")
    mask = np.array([[False] * 3, [True] * 3])
    np.testing.assert_array_equal(
        to_numpy(MaskedMeanPooling()(tokens, mask=mask)), [[0] * 4, [1] * 4]
    )


def test_padding_has_no_influence_even_where_it_is_nan():
    tokens = np.array([[[1.0], [3.0], [np.nan], [np.inf]]], "float32")
    mask = np.array([[True, True, False, False]])
    np.testing.assert_array_equal(to_numpy(MaskedMeanPooling()(tokens, mask=mask)), [[2.0]])


def test_takes_the_mask_of_an_embedding_and_drops_it():
    ids = np.array([[2, 1, 0], [1, 0, 0]])
    embedding = keras.layers.Embedding(3, 4, mask_zero=True)
    vectors = embedding(ids)
    table = to_numpy(embedding.embeddings)
    pooled = MaskedMeanPooling()(vectors)
    np.testing.assert_allclose(to_numpy(pooled), [(table[2] + table[1]) / 2, table[1]], atol=1e-6)
    assert keras.src.backend.get_keras_mask(pooled) is None


def test_sums_in_float32_under_mixed_policy(mixed_bfloat16):
    # bfloat16 has 8 bits: a running sum of ones would stop at 256.
    layer = MaskedMeanPooling()
    tokens = np.ones((1, 1000, 2), "float32")
    result = layer(tokens, mask=np.ones((1, 1000), bool))
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    np.testing.assert_array_equal(to_numpy(result), [[1.0, 1.0]])


def test_config_round_trip():
    layer = MaskedMeanPooling(name="pool", dtype="mixed_bfloat16")
    copy = MaskedMeanPooling.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()


def test_symbolic_shape_and_saved_model(reload):
    tokens = keras.Input((None, 4))
    mask = keras.Input((None,), dtype="bool")
    pooled = MaskedMeanPooling()(tokens, mask=mask)
    assert pooled.shape == (None, 4)
    assert MaskedMeanPooling().compute_output_shape((2, 7, 4)) == (2, 4)
    model = keras.Model([tokens, mask], pooled)
    values = np.arange(24, dtype="float32").reshape(2, 3, 4)
    keep = np.array([[True, False, False], [True, True, False]])
    np.testing.assert_allclose(
        to_numpy(reload(model)([values, keep])), [values[0, 0], (values[1, 0] + values[1, 1]) / 2]
    )
