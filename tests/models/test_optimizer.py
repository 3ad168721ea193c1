import keras
import numpy as np
import pytest
from keras import ops

from easymft.models import MFTTextClassifier, WarmupLinearDecay, adamw
from easymft.models import optimizer as optimizers
from tests.models.tiny import arrays, scramble, tiny_backbone


def rates(schedule, steps):
    return [float(schedule(step)) for step in steps]


def test_rises_over_the_warm_up_and_falls_to_zero():
    schedule = WarmupLinearDecay(peak=8.0, total_steps=10, warmup=0.2)
    # Two steps up; then eight equal steps down from the peak.
    assert rates(schedule, range(12)) == pytest.approx([4, 8, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0])


@pytest.mark.parametrize("warmup", [0.0, 0.2])  # a fifth of four steps is none
def test_without_a_step_of_warm_up_it_starts_at_the_peak(warmup):
    schedule = WarmupLinearDecay(peak=4.0, total_steps=4, warmup=warmup)
    assert rates(schedule, range(5)) == pytest.approx([4, 3, 2, 1, 0])


@pytest.mark.parametrize("total_steps", [1, 0])
def test_a_phase_of_one_step_trains_at_the_peak(total_steps):
    schedule = WarmupLinearDecay(peak=3.0, total_steps=total_steps, warmup=0.5)
    assert rates(schedule, range(2)) == pytest.approx([3, 0])
    assert schedule.total_steps == 1


@pytest.mark.parametrize("warmup", [-0.1, 1, float("nan")])
def test_warm_up_is_a_share(warmup):
    with pytest.raises(ValueError, match=r"`warmup` must lie in \[0, 1\)"):
        WarmupLinearDecay(1.0, 10, warmup)


def test_schedule_config_round_trip_keeps_a_length_set_later():
    schedule = WarmupLinearDecay(peak=2.0, total_steps=10, warmup=0.25)
    schedule.total_steps = 40
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert copy.get_config() == {
        "peak": 2.0,
        "total_steps": 40,
        "warmup": 0.25,
        "parts": 1,
    }
    assert rates(copy, range(40)) == rates(schedule, range(40))


@pytest.mark.long
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="JAX takes the schedule's variable into the compiled step as a constant",
)
def test_a_new_length_reaches_a_training_step_already_traced():
    schedule = WarmupLinearDecay(peak=1.0, total_steps=2, warmup=0.0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    # The gradient is 1, so every step subtracts its learning rate from the weight.
    model.compile(keras.optimizers.SGD(schedule), lambda y, p: p, jit_compile=False)
    model.set_weights([np.zeros((1, 1))])
    ones = np.ones((1, 1), "float32")
    model.fit(ones, ones, epochs=3, verbose=0)
    assert model.get_weights()[0].item() == pytest.approx(-(1 + 1 / 2 + 0))
    step = model.train_function
    schedule.total_steps = 4
    model.fit(ones, ones, epochs=1, verbose=0)  # step 3 of 4
    assert model.train_function is step
    assert model.get_weights()[0].item() == pytest.approx(-(1 + 1 / 2 + 1 / 4))


def test_decays_all_but_biases_and_layer_normalizations():
    model = MFTTextClassifier(tiny_backbone(), num_classes=2, num_domains=3, embedding="pooler")
    scramble(model)
    variables = model.trainable_variables
    before = arrays(variables)
    optimizer = adamw(learning_rate=0.1, weight_decay=0.5)
    # Without a gradient Adam moves nothing: what moves has decayed.
    optimizer.apply([ops.zeros(v.shape) for v in variables], variables)
    kept = {"bias", "gamma", "beta"}
    assert kept | {"kernel", "embeddings"} == {v.name for v in variables}
    for variable, old, new in zip(variables, before, arrays(variables), strict=True):
        share = 1.0 if variable.name in kept else 1 - 0.1 * 0.5
        np.testing.assert_allclose(new, share * old, rtol=1e-6, err_msg=variable.path)


def test_exclusion_outlives_a_config_round_trip():
    optimizer = adamw(WarmupLinearDecay(0.2, 10, 0.0), weight_decay=0.5, clip_norm=3.0)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    assert copy.get_config() == optimizer.get_config()
    assert copy.global_clipnorm == 3.0
    variables = [keras.Variable([2.0], name=name) for name in ("kernel", "bias")]
    copy.apply([ops.zeros((1,))] * 2, variables)
    assert [v.item() for v in arrays(variables)] == pytest.approx([2.0 * (1 - 0.2 * 0.5), 2.0])


def adamw_oracle(weights, gradients_of_steps, decayed, rates, decay, clip_norm):
    """AdamW with global-norm clipping, float64: the weights after the last step.

    Keras' epsilon is the "epsilon hat" of Kingma and Ba, added before the correction of the bias.
    """
    weights = [w.astype("float64") for w in weights]
    first, second = ([np.zeros_like(w) for w in weights] for _ in range(2))
    rates = np.broadcast_to(rates, len(gradients_of_steps))
    for step, (gradients, rate) in enumerate(zip(gradients_of_steps, rates, strict=True), start=1):
        norm = np.sqrt(sum((g**2).sum() for g in gradients))
        for i, g in enumerate(gradients):
            g = g * min(1.0, clip_norm / norm)
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g**2
            correction = np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            move = correction * first[i] / (np.sqrt(second[i]) + 1e-6)
            weights[i] -= rate * (move + decay * decayed[i] * weights[i])
    return weights


@pytest.mark.parametrize("clip_norm", [1.0, None])
def test_agrees_with_numpy_and_clips_the_global_norm(clip_norm):
    random = np.random.default_rng(0)
    weights = [random.normal(size=(2, 3)), random.normal(size=3)]
    # A step of norm about 30, then one below the threshold: only the first is clipped.
    steps = [[size * random.normal(size=w.shape) for w in weights] for size in (10.0, 0.1)]
    variables = [
        keras.Variable(w, dtype="float32", name=n)
        for w, n in zip(weights, ("kernel", "bias"), strict=True)
    ]
    optimizer = adamw(0.1, weight_decay=0.3, clip_norm=clip_norm)
    for gradients in steps:
        optimizer.apply([ops.convert_to_tensor(g, "float32") for g in gradients], variables)
    expected = adamw_oracle(weights, steps, (1, 0), 0.1, 0.3, clip_norm or np.inf)
    for actual, value in zip(arrays(variables), expected, strict=True):
        np.testing.assert_allclose(actual, value, atol=5e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is about TensorFlow's slices")
def test_a_token_that_comes_twice_in_a_batch_learns_from_the_sum_of_its_gradients():
    import tensorflow as tf

    rows = np.array([[3.0, 4.0], [3.0, 4.0], [-1.0, 2.0]])
    embeddings = keras.Variable(np.ones((3, 2)), dtype="float32", name="embeddings")
    optimizer = adamw(0.1, weight_decay=0.0, clip_norm=1.0)
    whole = np.array([[6.0, 8.0], [-1.0, 2.0], [0.0, 0.0]])
    for size in (1.0, 0.01):  # the first step is clipped
        gradient = tf.IndexedSlices(tf.constant(size * rows, "float32"), [0, 0, 1], [3, 2])
        optimizer.apply([gradient], [embeddings])
    expected = adamw_oracle([np.ones((3, 2))], [[whole], [0.01 * whole]], (0,), 0.1, 0.0, 1.0)
    np.testing.assert_allclose(arrays([embeddings])[0], expected[0], atol=5e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is about TensorFlow's slices")
def test_rows_without_tokens_move_by_their_momentum_and_decay_as_all_do():
    import tensorflow as tf

    random = np.random.default_rng(0)
    weights = [random.normal(size=(4, 2)), random.normal(size=2)]
    tokens = ([0, 2, 0], [2, 1], [1, 1])  # of a batch each; the last row has none
    sparse, whole = [], []
    for ids in tokens:
        rows, of_bias = random.normal(size=(len(ids), 2)), random.normal(size=2)
        sparse.append((rows, ids, of_bias))
        whole.append([np.zeros((4, 2)), of_bias])
        np.add.at(whole[-1][0], ids, rows)
    variables = [
        keras.Variable(w, dtype="float32", name=n)
        for w, n in zip(weights, ("embeddings", "bias"), strict=True)
    ]
    optimizer = adamw(0.1, weight_decay=0.3, clip_norm=1.0)
    for rows, ids, of_bias in sparse:
        slices = tf.IndexedSlices(tf.constant(rows, "float32"), ids, [4, 2])
        optimizer.apply([slices, tf.constant(of_bias, "float32")], variables)
    expected = adamw_oracle(weights, whole, (1, 0), 0.1, 0.3, 1.0)
    for actual, value in zip(arrays(variables), expected, strict=True):
        np.testing.assert_allclose(actual, value, atol=5e-6)
    # The row without tokens has decayed three times.
    np.testing.assert_allclose(arrays(variables)[0][3], weights[0][3] * 0.97**3, rtol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="is about replicas")
@pytest.mark.parametrize("asks", [True, False])
def test_a_keras_that_would_add_up_gradients_twice_is_refused(asks, monkeypatch):
    import tensorflow as tf

    if not asks:  # as if it were renamed, or no longer asked
        monkeypatch.setattr(keras.optimizers.AdamW, "_backend_update_step", lambda *_: None)
    devices = ["CPU:0", "CPU:1"]
    strategy = tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        variable = keras.Variable([1.0], name="kernel")
        optimizer = adamw(0.1, weight_decay=0.0)
        optimizer.build([variable])

    def step():
        strategy.run(lambda: optimizer.apply([tf.constant([2.0])], [variable]))

    if asks:
        step()
        # Adam's first step is the learning rate, whatever the gradient.
        assert variable.numpy() == pytest.approx([0.9], abs=1e-5)
        return
    with pytest.raises(RuntimeError, match=r"`_all_reduce_sum_gradients`, so .* added up twice"):
        step()


def test_a_keras_that_calls_biases_otherwise_is_refused(monkeypatch):
    monkeypatch.setattr(optimizers, "NO_DECAY", ("bias", "scale", "beta"))
    optimizers._check_names.cache_clear()
    with pytest.raises(RuntimeError, match="beta, bias, gamma, not beta, bias, scale, so weight"):
        adamw(0.1)
    monkeypatch.undo()
    adamw(0.1)


def test_accumulated_gradients_make_one_step_at_one_rate():
    random = np.random.default_rng(0)
    weights = [random.normal(size=(2, 3))]
    steps = [[random.normal(size=(2, 3))] for _ in range(4)]
    variables = [keras.Variable(weights[0], dtype="float32", name="kernel")]
    schedule = WarmupLinearDecay(0.1, 2, warmup=0.0, parts=2)
    optimizer = adamw(schedule, weight_decay=0.3, parts=2)
    for (gradient,) in steps:
        optimizer.apply([ops.convert_to_tensor(gradient, "float32")], variables)
    means = [[(steps[i][0] + steps[i + 1][0]) / 2] for i in (0, 2)]
    expected = adamw_oracle(weights, means, (1,), [0.1, 0.05], 0.3, 1.0)
    np.testing.assert_allclose(arrays(variables)[0], expected[0], atol=5e-6)
    assert int(ops.convert_to_numpy(optimizer.iterations)) == 2
