import keras
import numpy as np
import pytest

from easymft.layers import DomainAdapters
from tests.layers import oracle

DOMAINS = np.array([2, 0, -1, 1, 3, 2], "int32")  # of three: two texts are of unknown ones
KNOWN = (DOMAINS >= 0) & (DOMAINS < 3)


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def filled(inputs, **settings):
    """A layer whose tables, by name, are drawn at random."""
    layer = DomainAdapters(num_domains=3, **settings)
    layer.build(inputs.shape)
    random = np.random.default_rng(3)
    tables = {v.name: random.normal(size=v.shape).astype("float32") for v in layer.weights}
    layer.set_weights(list(tables.values()))
    return layer, tables


@pytest.mark.parametrize("kernel", ["none", "low_rank", "full"])
@pytest.mark.parametrize("shift", [True, False])
@pytest.mark.parametrize("axes", [2, 3])
def test_equals_oracle(kernel, shift, axes):
    if kernel == "none" and not shift:
        return
    inputs = np.random.default_rng(0).normal(size=(6, 4, 5)[:axes] if axes == 3 else (6, 5))
    layer, tables = filled(inputs, units=7, kernel=kernel, rank=2, shift=shift)
    found = to_numpy(layer(inputs.astype("float32"), DOMAINS))
    expected = oracle.added_by_domains(inputs, DOMAINS, **tables)
    assert found.shape[-1] == 7
    np.testing.assert_allclose(np.broadcast_to(found, expected.shape), expected, atol=1e-5)


def test_hand_worked():
    layer = DomainAdapters(num_domains=2, units=2, rank=1)
    layer.build((None, 2))
    layer.set_weights(
        [
            np.array([[[1.0], [2.0]], [[1.0], [-1.0]]]),  # A
            np.array([[[3.0, 0.0]], [[1.0, 10.0]]]),  # B
            np.array([[0.5, 0.5], [0.0, 0.0]]),  # c
        ]
    )
    x = np.array([[1.0, 1.0], [5.0, 2.0], [5.0, 2.0]], "float32")
    # (1 + 2) * (3, 0) + (0.5, 0.5); (5 - 2) * (1, 10); nothing of an unknown domain.
    expected = [[9.5, 0.5], [3.0, 30.0], [0.0, 0.0]]
    np.testing.assert_allclose(to_numpy(layer(x, np.array([[0], [1], [2]]))), expected)


@pytest.mark.parametrize("kernel", ["none", "low_rank", "full"])
def test_adds_exactly_nothing_for_unknown_domains_and_before_anything_is_learned(kernel):
    inputs = np.random.default_rng(0).normal(size=(6, 4, 5)).astype("float32")
    layer, _ = filled(inputs, units=7, kernel=kernel)
    assert not to_numpy(layer(inputs, DOMAINS))[~KNOWN].any()
    assert to_numpy(layer(inputs, DOMAINS))[KNOWN].all()
    fresh = DomainAdapters(num_domains=3, units=7, kernel=kernel)
    assert not to_numpy(fresh(inputs, DOMAINS)).any()


def test_tables_are_gathered_before_they_are_cast(mixed_bfloat16):
    layer = DomainAdapters(num_domains=3, units=7)
    inputs = np.ones((6, 4, 5), "float32")
    assert keras.backend.standardize_dtype(layer(inputs, DOMAINS).dtype) == "bfloat16"
    assert {w.dtype for w in layer.weights} == {"float32"}


def test_a_batch_learns_the_parts_of_its_own_domains_only():
    keras.utils.set_random_seed(1)
    layer = DomainAdapters(num_domains=3, units=1)
    inputs, domains = keras.Input((5,)), keras.Input((), dtype="int32")
    model = keras.Model([inputs, domains], layer(inputs, domains))
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False, run_eagerly=True)
    before = [to_numpy(w) for w in layer.weights]
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    for _ in range(2):  # B is zero at first, so A learns from the second step on
        model.train_on_batch([x, np.array([0, 2, 0, 7])], np.ones((4, 1)))
    for table, old in zip(layer.weights, before, strict=True):
        changed = [
            bool((row != last).any()) for row, last in zip(to_numpy(table), old, strict=True)
        ]
        assert changed == [True, False, True], table.name


def test_saved_model_answers_alike(reload):
    inputs, domains = keras.Input((None, 5)), keras.Input((), dtype="int32")
    layer, _ = filled(np.ones((1, 1, 5)), units=7, rank=2)
    added = layer(inputs, domains)
    assert added.shape == (None, None, 7)
    model = keras.Model([inputs, domains], added)
    values = [np.random.default_rng(0).normal(size=(6, 4, 5)).astype("float32"), DOMAINS]
    np.testing.assert_allclose(to_numpy(reload(model)(values)), to_numpy(model(values)))


def test_config_round_trip():
    layer = DomainAdapters(4, 7, kernel="full", rank=3, shift=False, seed=5, name="of_head")
    assert DomainAdapters.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer.compute_output_shape((2, 9, 5), (2,)) == (2, 9, 7)
    assert DomainAdapters(4, 7, "none").compute_output_shape((2, 9, 5), (2,)) == (2, 1, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_domains": 0}, "`num_domains` must be an integer of at least 1. Received: 0"),
        ({"rank": 1.5}, "`rank` must be an integer of at least 1. Received: 1.5"),
        ({"kernel": "low"}, "`kernel` must be one of 'none', 'low_rank', 'full'. Received: 'low'"),
        ({"kernel": "none", "shift": False}, '`shift` must be True where `kernel` is "none"'),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        DomainAdapters(**{"num_domains": 2, "units": 3, **arguments})
