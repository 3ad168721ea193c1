"""Layers by kernels beside Keras' own layers and plain numpy."""

import keras
import numpy as np
import pytest
from keras import ops

from easymft.models import TextClassifier
from easymft.models.cpu_kernels import served_kernels, use_cpu_kernels, use_keras_kernels
from easymft.models.sublayers import all_layers, random_states
from tests.models.tiny import NUM_CLASSES, tiny_backbone

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="they are TensorFlow's"
)

RATE = 0.25


def fused(layer, width=3):
    """A model of one layer that computes by the kernels."""
    inputs = keras.Input((width,), dtype=layer.compute_dtype)
    model = keras.Model(inputs, layer(inputs))
    use_cpu_kernels(model)
    return model


def value_and_gradient(model, x, **arguments):
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model(x, **arguments)
    return ops.convert_to_numpy(y), ops.convert_to_numpy(tape.gradient(y, x))


def gelu_oracle(x):
    """The tanh form of Hendrycks and Gimpel (2016)."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


@pytest.mark.long
@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-6), ("bfloat16", 2**-7)])
def test_gelu_and_its_gradient(dtype, error):
    x = np.linspace(-4, 4, 30).reshape(10, 3)
    model = fused(keras.layers.Activation(gelu_approximate, dtype=dtype))
    x = ops.convert_to_numpy(ops.cast(x, dtype)).astype("float64")
    value, gradient = value_and_gradient(model, ops.cast(x, dtype))
    slope = (gelu_oracle(x + 1e-5) - gelu_oracle(x - 1e-5)) / 2e-5
    np.testing.assert_allclose(value.astype("float64"), gelu_oracle(x), rtol=error, atol=error)
    np.testing.assert_allclose(gradient.astype("float64"), slope, rtol=error, atol=error)


def gelu_approximate(x):
    return keras.activations.gelu(x, approximate=True)


def test_dropout_drops_its_share_and_scales_the_rest():
    model = fused(keras.layers.Dropout(RATE, seed=1), width=999)  # odd: half a word is left over
    x = np.ones((101, 999), "float32")
    value, gradient = value_and_gradient(model, x, training=True)
    np.testing.assert_array_equal(np.unique(value), np.float32([0, 1 / (1 - RATE)]))
    # What was dropped has no gradient, the rest that of the scale.
    np.testing.assert_array_equal(gradient, value)
    # 100,899 draws: four standard errors of the share are 0.0055; of a row's or column's, less.
    assert (value == 0).mean() == pytest.approx(RATE, abs=0.0055)
    assert (value == 0).mean(axis=0).std() == pytest.approx(np.sqrt(RATE * 0.75 / 101), rel=0.2)
    np.testing.assert_array_equal(ops.convert_to_numpy(model(x, training=False)), x)


def test_dropout_draws_by_its_seed_and_anew_each_time():
    one, other = (fused(keras.layers.Dropout(RATE, seed=7), width=100) for _ in range(2))
    x = np.ones((20, 100), "float32")
    first, second = (ops.convert_to_numpy(one(x, training=True)) for _ in range(2))
    assert (first != second).any()
    np.testing.assert_array_equal(ops.convert_to_numpy(other(x, training=True)), first)


def test_what_is_dropped_by_one_seed_says_nothing_of_another():
    x = np.ones((200, 500), "float32")
    masks = []
    for seed in (1, 2, 1 << 20):
        model = fused(keras.layers.Dropout(0.5, seed=seed), width=500)
        # The same generator's first and second draw.
        masks += [ops.convert_to_numpy(model(x, training=True)).ravel() > 0 for _ in range(2)]
    signs = 2.0 * np.array(masks) - 1
    # Also beside itself, moved by a place, a word of bits and a row; 100,000 draws: 5 errors.
    moved = [np.roll(signs[0], places) for places in (1, 2, 32, 500)]
    correlations = np.corrcoef(np.concatenate([signs, moved])) - np.eye(10)
    assert np.abs(correlations).max() < 5 / np.sqrt(x.size)


def test_rows_of_embeddings_are_cast_and_their_gradients_summed_in_float32():
    import tensorflow as tf

    inputs = keras.Input((None,), dtype="int32")
    layer = keras.layers.Embedding(5, 4, dtype="mixed_bfloat16")
    model = keras.Model(inputs, layer(inputs))
    ids = np.array([[1] * 300 + [3, 1]])
    before = ops.convert_to_numpy(ops.cast(model(ids), "float32"))
    use_cpu_kernels(model)
    with tf.GradientTape() as tape:
        rows = model(ids)
        total = tf.reduce_sum(rows)
    assert rows.dtype == tf.bfloat16
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.cast(rows, "float32")), before)
    gradient = tf.convert_to_tensor(tape.gradient(total, layer.embeddings.value))
    # In bfloat16 a sum of ones stays at 256.
    np.testing.assert_array_equal(gradient[:, 0], [0, 301, 0, 1, 0])
    assert use_keras_kernels(model)
    assert "call" not in vars(layer)


@pytest.mark.long
@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-5), ("bfloat16", 2**-6)])
@pytest.mark.parametrize(
    "layer",
    [
        lambda dtype: keras.layers.Dense(5, "tanh", dtype=dtype),
        lambda dtype: keras.layers.Dense(5, use_bias=False, dtype=dtype),
        lambda dtype: keras.layers.EinsumDense(
            "abc,cde->abde", (None, 2, 3), bias_axes="de", dtype=dtype
        ),
        lambda dtype: keras.layers.LayerNormalization(epsilon=1e-6, dtype=dtype),
    ],
    ids=["dense", "dense without bias", "into heads", "layer normalization"],
)
def test_a_layer_and_its_gradients_are_those_of_keras(layer, dtype, error):
    import tensorflow as tf

    random = np.random.default_rng(0)
    inputs = keras.Input((None, 6), dtype=dtype)
    model = keras.Model(inputs, layer(dtype)(inputs))
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    x = tf.cast(random.normal(size=(3, 4, 6)), dtype)
    above = tf.cast(random.normal(size=model(x).shape), dtype)
    assert_same(model, [x], above, error)


@pytest.mark.long
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-5), ("bfloat16", 2**-5)])
def test_attention_and_its_gradients_are_those_of_keras(training, dtype, error):
    import tensorflow as tf

    random = np.random.default_rng(0)
    inputs = keras.Input((None, 6), dtype=dtype), keras.Input((None,), dtype="bool")
    layer = keras.layers.MultiHeadAttention(2, 3, dropout=RATE, dtype=dtype, seed=1)
    whom = ops.expand_dims(inputs[1], 1)
    model = keras.Model(inputs, layer(inputs[0], inputs[0], attention_mask=whom))
    for weight in model.weights:
        if weight.dtype != "uint32":
            weight.assign(random.normal(size=weight.shape))
    x = tf.cast(random.normal(size=(3, 4, 6)), dtype)
    # Of the last text nothing may be looked at: Keras gives all of it no weight.
    mask = tf.constant([[True] * 4, [True, True, False, False], [False] * 4])
    above = tf.cast(random.normal(size=(3, 4, 6)), dtype)
    assert_same(model, [x, mask], above, error, training)


def assert_same(model, inputs, above, error, training=False):
    """Value and gradients are those of Keras' layers, of whose numbers the same are dropped."""
    import tensorflow as tf

    found = []
    for kernels in ("dropout alone", "all"):
        use_cpu_kernels(model)
        if kernels == "dropout alone":
            for layer in all_layers(model):
                if type(layer) is not keras.layers.Dropout:
                    vars(layer).pop("call", None)
                    vars(layer).pop("_compute_attention", None)
        for state in random_states(model):
            state.assign([3, 4])
        with tf.GradientTape() as tape:
            tape.watch(inputs[0])
            y = model(inputs if len(inputs) > 1 else inputs[0], training=training)
            total = tf.reduce_sum(tf.cast(y, "float32") * tf.cast(above, "float32"))
        variables = [variable.value for variable in model.trainable_variables]
        found.append([y, *tape.gradient(total, [inputs[0], *variables])])
    for keras_own, own in zip(*found, strict=True):
        assert own.shape == keras_own.shape
        assert own.dtype == keras_own.dtype
    keras_own, own = (
        np.concatenate([np.ravel(tf.cast(value, "float64")) for value in values])
        for values in found
    )
    # Of the largest, for that of a key's bias is nothing but what is rounded.
    np.testing.assert_allclose(own, keras_own, atol=error * np.abs(keras_own).max())


@pytest.mark.long
def test_an_encoder_answers_as_before_and_saves_as_before(tmp_path):
    model = TextClassifier(tiny_backbone(dropout=RATE), NUM_CLASSES)
    tokens = np.random.default_rng(0).integers(1, 20, (4, 8))
    inputs = {
        "token_ids": tokens,
        "padding_mask": np.ones_like(tokens),
        "segment_ids": np.zeros_like(tokens),
    }
    before = ops.convert_to_numpy(model(inputs)["logits"])
    for _ in range(2):  # the second time there is nothing left to do
        use_cpu_kernels(model)
    assert is_fused(model)
    np.testing.assert_allclose(ops.convert_to_numpy(model(inputs)["logits"]), before, atol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert not is_fused(loaded)
    np.testing.assert_allclose(ops.convert_to_numpy(loaded(inputs)["logits"]), before, atol=1e-6)
    assert len(loaded.random_states) == len(model.random_states)
    with served_kernels(model):
        assert not is_fused(model)
        # What a server runs: nothing that XLA compiles, but one product for all positions.
        methods = ["call" in vars(x) for x in all_layers(model) if type(x) is keras.layers.Dense]
        assert any(methods)
        for one, other in zip(all_layers(model), all_layers(loaded), strict=True):
            assert getattr(one, "activation", None) is getattr(other, "activation", None)
    assert is_fused(model)
    assert use_keras_kernels(model)
    assert not is_fused(model)
    with served_kernels(model):
        pass
    assert not is_fused(model)  # it was not before either


def test_a_model_of_ones_own_is_saved_with_keras_layers(tmp_path):
    layers = [keras.Input((3,)), keras.layers.Dense(4, "gelu"), keras.layers.Dropout(RATE, seed=1)]
    model = keras.Sequential(layers)
    config = model.get_config()
    use_cpu_kernels(model)
    assert is_fused(model)
    assert model.get_config() == config
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].activation is keras.activations.gelu
    assert not is_fused(loaded)


def is_fused(model):
    """Whether dropout is, and with it activations; half of them would be a fault."""
    layers = all_layers(model)
    dropouts = ["call" in vars(x) for x in layers if type(x) is keras.layers.Dropout]
    named = [getattr(x, "activation", None) for x in layers]
    gelus = [hasattr(f, "of_keras") for f in named if getattr(f, "__name__", "").startswith("gelu")]
    assert dropouts
    assert gelus
    assert len({*dropouts, *gelus}) == 1
    return dropouts[0]
