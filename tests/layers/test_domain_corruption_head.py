import keras
import numpy as np
import pytest

from easymft.layers import DomainCorruptionHead
from tests.layers import oracle


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


RNG = np.random.default_rng(3)
HIDDEN = RNG.normal(size=(6, 5)).astype("float32")
DOMAINS = np.array([0, 1, 2, 3, 1, 0], "int32")


def test_logits_equal_oracle():
    head = DomainCorruptionHead(4)
    logits = head(HIDDEN, DOMAINS)
    weights = {w.path.split("/", 1)[1]: to_numpy(w) for w in head.trainable_weights}
    expected = oracle.corruption_logits(
        HIDDEN,
        DOMAINS,
        weights["domain_embedding/embeddings"],
        weights["classifier/kernel"],
        weights["classifier/bias"],
    )
    np.testing.assert_allclose(to_numpy(logits), expected, atol=1e-6)


def test_hand_worked_logits():
    head = DomainCorruptionHead(2)
    head.build((None, 2))
    head.domain_embedding.embeddings.assign([[1.0, 0.0], [0.0, 10.0]])
    head.classifier.kernel.assign([[1.0, 2.0], [3.0, 4.0]])
    head.classifier.bias.assign([0.5, -0.5])
    # (1, 1) + (1, 0) = (2, 1) and (1, 1) + (0, 10) = (1, 11).
    logits = to_numpy(head(np.ones((2, 2), "float32"), np.array([0, 1])))
    np.testing.assert_allclose(logits, [[5.5, 7.5], [34.5, 45.5]])


def test_loss_equals_oracle_and_is_not_reduced():
    head = DomainCorruptionHead(4)
    logits = RNG.normal(size=(6, 4)).astype("float32") * 5
    z = np.array([3, 2, 1, 0, 0, 1])
    expected = oracle.cross_entropy(logits.astype("float64"), z)
    np.testing.assert_allclose(to_numpy(head.loss(logits, z)), expected, rtol=1e-5)
    weight = np.array([0.0, 0.5, 1.0, 2.0, 0.1, 0.3], "float32")
    np.testing.assert_allclose(to_numpy(head.loss(logits, z, weight)), weight * expected, rtol=1e-5)


def test_hand_worked_loss():
    # Equal logits over 4 domains: log 4 each, half of it at weight 1/2.
    losses = DomainCorruptionHead(4).loss(np.zeros((2, 4), "float32"), [1, 3], np.array([1.0, 0.5]))
    np.testing.assert_allclose(to_numpy(losses), [np.log(4), np.log(4) / 2], rtol=1e-6)


@pytest.mark.parametrize("scale", [1e30, -1e30])
def test_loss_is_finite_for_huge_logits(scale):
    logits = np.array([[scale, 0.0]], "float32")
    assert np.isfinite(to_numpy(DomainCorruptionHead(2).loss(logits, np.array([0])))).all()


def counts_of_true_and_drawn(corruption, domains, num_domains):
    z = to_numpy(DomainCorruptionHead(num_domains, corruption, seed=11).corrupt(domains))
    assert z.dtype == np.int32
    assert z.shape == domains.shape
    table = np.zeros((num_domains, num_domains), int)
    np.add.at(table, (domains, z), 1)
    return table


def test_uniform_draws_every_domain_alike_whatever_the_truth():
    table = counts_of_true_and_drawn("uniform", np.repeat(np.arange(4), 2000), 4)
    # 12 degrees of freedom: 32.9 is passed by chance once in a thousand.
    assert oracle.chi_square(table, np.full((4, 4), 500)) < 32.9


def test_other_draws_every_wrong_domain_alike_and_never_the_true_one():
    table = counts_of_true_and_drawn("other", np.repeat(np.arange(4), 1500), 4)
    assert np.trace(table) == 0
    wrong = table[~np.eye(4, dtype=bool)]
    assert oracle.chi_square(wrong, np.full(12, 500)) < 26.1  # 8 degrees of freedom, p = 0.001


def test_other_of_two_is_the_other_one():
    z = DomainCorruptionHead(2, "other", seed=0).corrupt(np.array([0, 1, 1, 0]))
    np.testing.assert_array_equal(to_numpy(z), [1, 0, 0, 1])


@pytest.mark.long
def test_shuffle_keeps_the_multiset_and_is_fair():
    head = DomainCorruptionHead(3, "shuffle", seed=5)
    domains = np.array([0, 0, 2, 1], "int32")
    draws = np.array([to_numpy(head.corrupt(domains)) for _ in range(300)])
    np.testing.assert_array_equal(np.sort(draws, axis=1), np.tile([0, 0, 1, 2], (300, 1)))
    first = np.bincount(draws[:, 0], minlength=3)
    assert oracle.chi_square(first, [150, 75, 75]) < 13.8  # 2 degrees of freedom, p = 0.001


@pytest.mark.parametrize("corruption", ["uniform", "shuffle", "other"])
def test_calls_differ_and_the_seed_reproduces_them(corruption):
    domains = np.tile(np.arange(4, dtype="int32"), 16)
    one, two = (DomainCorruptionHead(4, corruption, seed=7) for _ in range(2))
    first, second = to_numpy(one.corrupt(domains)), to_numpy(one.corrupt(domains))
    assert (first != second).any()
    np.testing.assert_array_equal(to_numpy(two.corrupt(domains)), first)
    np.testing.assert_array_equal(to_numpy(two.corrupt(domains)), second)
    other_seed = DomainCorruptionHead(4, corruption, seed=8)
    assert (to_numpy(other_seed.corrupt(domains)) != first).any()


class Shared(keras.Model):
    """One head on two layers, its loss inside `compute_loss`: how the method uses it."""

    def __init__(self, corruption, seed):
        super().__init__()
        self.layers_ = [keras.layers.Dense(5, kernel_initializer="ones") for _ in range(2)]
        self.head = DomainCorruptionHead(4, corruption, seed=seed)

    def call(self, inputs):
        hidden, states = inputs["hidden"], []
        for layer in self.layers_:
            hidden = layer(hidden) / 10
            states.append(self.head(hidden, inputs["domain"]))
        return states

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        losses = [
            self.head.loss(logits, self.head.corrupt(x["domain"]), sample_weight)
            for logits in y_pred
        ]
        return keras.ops.mean(keras.ops.stack(losses))


def trained_classifier_bias(corruption, seed):
    keras.utils.set_random_seed(0)
    model = Shared(corruption, seed)
    # XLA compiles slowly on TensorFlow, so one of the three will do there.
    jit_compile = corruption == "shuffle" or keras.backend.backend() == "jax"
    model.compile(keras.optimizers.SGD(0.5), jit_compile=jit_compile)
    data = {"hidden": np.tile(HIDDEN, (4, 1)), "domain": np.tile(DOMAINS, 4)}
    history = model.fit(data, np.zeros(24), batch_size=8, epochs=2, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    return to_numpy(model.head.classifier.bias)


@pytest.mark.long
@pytest.mark.parametrize("corruption", ["uniform", "shuffle", "other"])
def test_draws_inside_a_compiled_training_step(corruption):
    first = trained_classifier_bias(corruption, seed=1)
    assert np.abs(first).max() > 1e-3
    np.testing.assert_allclose(trained_classifier_bias(corruption, seed=1), first, atol=1e-6)
    # Over a batch the bias sees how many texts drew each z: a shuffle never changes that.
    if corruption != "shuffle":
        assert np.abs(trained_classifier_bias(corruption, seed=2) - first).max() > 1e-4


def test_one_domain():
    head = DomainCorruptionHead(1)
    domains = np.zeros(3, "int32")
    logits, z = head(HIDDEN[:3], domains), head.corrupt(domains)
    np.testing.assert_array_equal(to_numpy(z), [0, 0, 0])
    np.testing.assert_array_equal(to_numpy(head.loss(logits, z)), [0, 0, 0])


def test_float32_logits_under_mixed_policy(mixed_bfloat16):
    head = DomainCorruptionHead(4)
    hidden = keras.ops.cast(HIDDEN, "bfloat16")
    logits = head(hidden, DOMAINS)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert {w.dtype for w in head.trainable_weights} == {"float32"}
    embedding, kernel, bias = (to_numpy(w) for w in head.trainable_weights)
    rounded = to_numpy(keras.ops.cast(hidden, "float32"))
    np.testing.assert_allclose(
        to_numpy(logits),
        oracle.corruption_logits(rounded, DOMAINS, embedding, kernel, bias),
        atol=1e-6,
    )
    symbolic = head(keras.Input((5,), dtype="bfloat16"), keras.Input((), dtype="int32"))
    assert symbolic.dtype == "float32"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"num_domains": 0}, "num_domains"),
        ({"num_domains": 2.5}, "num_domains"),
        ({"num_domains": 3, "corruption": "random"}, "corruption"),
        ({"num_domains": 1, "corruption": "other"}, "corruption"),
    ],
)
def test_bad_arguments(arguments, name):
    with pytest.raises(ValueError, match=rf"`{name}.*Received: "):
        DomainCorruptionHead(**arguments)


@pytest.mark.parametrize("domain", [-1, 4])
def test_a_domain_that_is_none_is_never_taken_for_another(domain):
    head = DomainCorruptionHead(4)
    try:
        logits = to_numpy(head(HIDDEN[:2], np.array([3, domain])))
    except Exception as error:  # TensorFlow's, on a CPU
        assert f"= {domain} is not in [0, 4)" in str(error)  # noqa: PT017 (other backends: nan)
    else:
        assert np.isnan(logits).tolist() == [[False] * 4, [True] * 4]


def test_config_round_trip():
    head = DomainCorruptionHead(4, corruption="shuffle", seed=9, name="head")
    copy = DomainCorruptionHead.from_config(head.get_config())
    assert copy.get_config() == head.get_config()
    assert (copy.num_domains, copy.corruption, copy.seed) == (4, "shuffle", 9)
    domains = np.arange(4)
    np.testing.assert_array_equal(to_numpy(copy.corrupt(domains)), to_numpy(head.corrupt(domains)))


def test_symbolic_shape_and_saved_model(reload):
    hidden, domains = keras.Input((5,)), keras.Input((), dtype="int32")
    head = DomainCorruptionHead(4, seed=2)
    logits = head(hidden, domains)
    assert (logits.shape, logits.dtype) == ((None, 4), "float32")
    assert head.compute_output_shape((7, 5)) == (7, 4)
    model = keras.Model([hidden, domains], logits)
    copy = reload(model)
    np.testing.assert_array_equal(
        to_numpy(copy([HIDDEN, DOMAINS])), to_numpy(model([HIDDEN, DOMAINS]))
    )
    first_draw = DomainCorruptionHead(4, seed=2).corrupt(DOMAINS)
    np.testing.assert_array_equal(to_numpy(copy.layers[-1].corrupt(DOMAINS)), to_numpy(first_draw))
