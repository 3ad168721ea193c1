import keras
import numpy as np
import pytest

from easymft.layers import GradientReversal


def one_weight_model(reversal, dtype="float32"):
    """y = reversal(w * x) with w = 1, trained by plain SGD on the squared error."""
    inputs = keras.Input((1,))
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", dtype=dtype)
    model = keras.Model(inputs, reversal(dense(inputs)))
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    return model, lambda: float(keras.ops.convert_to_numpy(dense.kernel)[0, 0])


# x = 2, y = 0, w = 1: the loss is (2w)^2, its derivative 8w = 8, an SGD step of 0.1 moves w by 0.8.
X, Y = np.array([[2.0]], "float32"), np.array([[0.0]], "float32")


@pytest.mark.parametrize(
    ("strength", "weight_after"), [(1.0, 1.8), (0.5, 1.4), (0.0, 1.0), (2.0, 2.6)]
)
def test_one_step_goes_the_other_way(strength, weight_after):
    model, weight = one_weight_model(GradientReversal(strength))
    model.train_on_batch(X, Y)
    assert weight() == pytest.approx(weight_after, abs=1e-6)


def test_plain_step_for_comparison():
    model, weight = one_weight_model(keras.layers.Identity())
    model.train_on_batch(X, Y)
    assert weight() == pytest.approx(0.2, abs=1e-6)


def test_forward_is_the_identity():
    values = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")
    result = keras.ops.convert_to_numpy(GradientReversal(0.3)(values))
    np.testing.assert_array_equal(result, values)


def test_new_strength_counts_without_tracing_again():
    traces = []

    class Traced(GradientReversal):
        def call(self, inputs, strength=None):
            traces.append(1)
            return super().call(inputs, strength)

    reversal = Traced(0.0)
    model, weight = one_weight_model(reversal)
    model.train_on_batch(X, Y)
    assert weight() == pytest.approx(1.0)
    before = len(traces)
    reversal.strength = 0.5
    assert reversal.strength == 0.5
    model.train_on_batch(X, Y)
    assert weight() == pytest.approx(1.4, abs=1e-6)
    assert len(traces) == before


@pytest.mark.long
def test_callback_ramps_the_strength():
    reversal = GradientReversal(0.0)
    model, weight = one_weight_model(reversal)
    ramp = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(reversal, "strength", epoch / 2)
    )
    model.fit(X, Y, epochs=3, callbacks=[ramp], verbose=0)
    # Strengths 0, 1/2, 1: w becomes 1, then 1 * 1.4, then 1.4 * 1.8.
    assert weight() == pytest.approx(2.52, abs=1e-5)


def test_computed_strength_takes_the_place_of_the_own():
    inputs = keras.Input((1,))
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    quarter = keras.ops.mean(inputs) / 4  # X is 2, so 1/2
    model = keras.Model(inputs, GradientReversal(1.0)(dense(inputs), strength=quarter))
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    model.train_on_batch(X, Y)
    assert float(keras.ops.convert_to_numpy(dense.kernel)[0, 0]) == pytest.approx(1.4, abs=1e-6)


def test_mixed_policy(mixed_bfloat16):
    reversal = GradientReversal(0.5)
    assert reversal.weights[0].dtype == "float32"
    model, weight = one_weight_model(reversal, dtype="mixed_bfloat16")
    assert model.output.dtype == "bfloat16"
    model.train_on_batch(X, Y)
    assert weight() == pytest.approx(1.4, abs=1e-2)


@pytest.mark.parametrize("strength", [-0.1, float("nan"), float("inf")])
def test_bad_strength(strength):
    with pytest.raises(ValueError, match=r"`strength` .* Received: "):
        GradientReversal(strength)
    layer = GradientReversal()
    with pytest.raises(ValueError, match="`strength`"):
        layer.strength = strength
    assert layer.strength == 1.0


def test_strength_is_not_trained():
    layer = GradientReversal()
    assert layer.trainable_weights == []
    assert len(layer.non_trainable_weights) == 1


def test_config_round_trip():
    layer = GradientReversal(0.25, name="reversal")
    layer.strength = 0.75
    copy = GradientReversal.from_config(layer.get_config())
    assert copy.strength == 0.75
    assert copy.get_config() == layer.get_config()


def test_symbolic_shape_and_saved_model(reload):
    reversal = GradientReversal(0.5)
    model, _ = one_weight_model(reversal)
    assert model.output.shape == (None, 1)
    assert reversal.compute_output_shape((2, 3, 4)) == (2, 3, 4)
    reversal.strength = 0.125
    copy = reload(model)
    assert copy.layers[-1].strength == 0.125
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(copy(X)), X)
