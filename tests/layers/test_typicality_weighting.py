import keras
import numpy as np
import pytest

from easymft.layers import TypicalityWeighting
from tests.layers import oracle


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def corpus(num_domains, num_classes, texts=40, hidden=6, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(0.3, 1.0, size=(texts, hidden)).astype("float32"),
        rng.integers(0, num_classes, texts),
        rng.integers(0, num_domains, texts),
    )


def expected(embeddings, labels, domains, layer, cells):
    rows = np.eye(layer.num_classes)
    if layer.class_weights is not None:
        rows = np.broadcast_to(layer.class_weights, rows.shape)
        rows = rows / rows.sum(axis=-1, keepdims=True)
    return [
        oracle.typicality(x, y, k, cells, rows, layer.alpha, layer.variant)
        for x, y, k in zip(embeddings, labels, domains, strict=True)
    ]


def hand_made(**arguments):
    """Centroids (3, 0), (0, 1) and (4, 0) in domains 0, 1, 2 of one class."""
    layer = TypicalityWeighting(3, 1, **arguments)
    embeddings = np.array([[2, 0], [4, 0], [0, 1], [4, 0]], "float32")
    layer.adapt(embeddings, np.zeros(4, int), np.array([0, 0, 1, 2]))
    return layer


# The text (3, 4) has cosine 3/5 to the first axis and 4/5 to the second.
TEXT, LABEL, DOMAIN = np.array([[3.0, 4.0]], "float32"), np.array([0]), np.array([0])


@pytest.mark.parametrize(
    ("variant", "score"),
    [
        # 1/2 * 0.6 + 1/2 * (0.8 + 0.6) / 2
        ("paper", 0.65),
        # The others' mean is (2, 0.5): cosine (6 + 2) / (5 * sqrt(4.25)).
        ("easytransfer", 0.3 + 0.5 * 8 / (5 * 4.25**0.5)),
    ],
)
def test_hand_worked(variant, score):
    layer = hand_made(variant=variant)
    np.testing.assert_allclose(to_numpy(layer(TEXT, LABEL, DOMAIN)), [score], rtol=1e-6)
    np.testing.assert_array_equal(to_numpy(layer.centroids)[:, 0], [[3, 0], [0, 1], [4, 0]])
    np.testing.assert_array_equal(to_numpy(layer.counts)[:, 0], [2, 1, 1])


@pytest.mark.parametrize(("alpha", "score"), [(0.0, 0.7), (0.25, 0.675), (1.0, 0.6)])
def test_alpha_is_the_own_share(alpha, score):
    layer = hand_made(alpha=alpha)
    np.testing.assert_allclose(to_numpy(layer(TEXT, LABEL, DOMAIN)), [score], rtol=1e-6)


def test_clip():
    texts = np.concatenate([TEXT, -TEXT])
    codes = np.zeros(2, int)
    for clip, scores in [(0.0, [0.65, 0.0]), (None, [0.65, -0.65]), (0.7, [0.7, 0.7])]:
        layer = hand_made(clip=clip)
        np.testing.assert_allclose(to_numpy(layer(texts, codes, codes)), scores, rtol=1e-6)
        raw = to_numpy(layer.raw_scores(texts, codes, codes))
        np.testing.assert_allclose(raw, [0.65, -0.65], rtol=1e-6)


def test_class_weights_hand_worked():
    centroids = np.array([[1, 0], [0, 1]], "float32")
    texts, labels, domains = np.repeat(TEXT, 2, axis=0), np.array([0, 1]), np.array([0, 0])
    # Rows of sum 1: (3/4, 1/4) for class 0, (1/2, 1/2) for class 1.
    for weights, scores in [([[3, 1], [1, 1]], [0.65, 0.7]), ([3, 1], [0.65, 0.65])]:
        layer = TypicalityWeighting(1, 2, class_weights=weights)
        layer.adapt(centroids, [0, 1], [0, 0])
        np.testing.assert_allclose(to_numpy(layer(texts, labels, domains)), scores, rtol=1e-6)


@pytest.mark.parametrize("variant", ["paper", "easytransfer"])
@pytest.mark.parametrize("class_weights", [None, [1.0, 2.0, 0.5], "matrix"])
@pytest.mark.parametrize(("num_domains", "texts"), [(1, 40), (4, 120), (5, 6)])
def test_equals_oracle(variant, class_weights, num_domains, texts):
    if class_weights == "matrix":
        class_weights = np.random.default_rng(1).uniform(0.1, 2.0, size=(3, 3))
    layer = TypicalityWeighting(
        num_domains, 3, alpha=0.3, variant=variant, clip=None, class_weights=class_weights
    )
    embeddings, labels, domains = corpus(num_domains, 3, texts)
    layer.adapt(embeddings, labels, domains)
    cells = oracle.centroids(embeddings, labels, domains, num_domains, 3)
    assert (len(cells) < 3 * num_domains) == (texts == 6)  # 6 texts leave cells empty
    for (k, m), centroid in cells.items():
        np.testing.assert_allclose(to_numpy(layer.centroids)[k, m], centroid, atol=1e-6)
    # Every text in every cell, those of empty cells too.
    embeddings, labels, domains = corpus(num_domains, 3, texts=60, seed=2)
    np.testing.assert_allclose(
        to_numpy(layer(embeddings, labels, domains)),
        expected(embeddings, labels, domains, layer, cells),
        atol=2e-6,
    )


@pytest.mark.parametrize("variant", ["paper", "easytransfer"])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_empty_cells(variant, alpha):
    layer = TypicalityWeighting(3, 2, alpha=alpha, variant=variant, clip=None)
    # Class 0 only in domain 1, class 1 nowhere; domain 0's own cell is empty.
    layer.adapt(np.array([[0.0, 2.0]], "float32"), np.array([0]), np.array([1]))
    scores = layer(np.repeat(TEXT, 3, axis=0), np.array([0, 0, 1]), np.array([0, 1, 0]))
    np.testing.assert_allclose(to_numpy(scores), [0.8, 0.8, 0.0], rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_one_domain_is_the_cosine_to_its_own_centroid(alpha):
    layer = TypicalityWeighting(1, 1, alpha=alpha)
    layer.adapt(np.array([[5.0, 0.0]], "float32"), np.array([0]), np.array([0]))
    np.testing.assert_allclose(to_numpy(layer(TEXT, LABEL, DOMAIN)), [0.6], rtol=1e-6)


def test_nothing_seen_scores_zero():
    layer = TypicalityWeighting(2, 2)
    np.testing.assert_array_equal(to_numpy(layer(TEXT, LABEL, DOMAIN)), [0.0])


@pytest.mark.parametrize("variant", ["paper", "easytransfer"])
@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_scale_changes_nothing(variant, scale):
    embeddings, labels, domains = corpus(3, 2)
    layer = TypicalityWeighting(3, 2, variant=variant)
    layer.adapt(embeddings, labels, domains)
    plain = to_numpy(layer(embeddings, labels, domains))
    layer.adapt(embeddings * np.float32(scale), labels, domains)
    scaled = to_numpy(layer(embeddings * np.float32(scale), labels, domains))
    np.testing.assert_allclose(scaled, plain, atol=1e-6)


@pytest.mark.parametrize("variant", ["paper", "easytransfer"])
def test_centroids_of_very_different_size_lose_no_digits(variant):
    layer = TypicalityWeighting(3, 1, variant=variant, alpha=0.0)
    # Seen from domain 0 the others are (0, 1) and (0, 1); its own 1e30 must not swallow them.
    layer.adapt(np.array([[1e30, 1e30], [0, 1], [0, 1]], "float32"), [0, 0, 0], [0, 1, 2])
    np.testing.assert_allclose(to_numpy(layer(TEXT, LABEL, DOMAIN)), [0.8], rtol=1e-6)


@pytest.mark.parametrize("variant", ["paper", "easytransfer"])
def test_zero_norms_score_zero(variant):
    layer = hand_made(variant=variant)
    np.testing.assert_array_equal(to_numpy(layer(0 * TEXT, LABEL, DOMAIN)), [0.0])
    layer.adapt(np.zeros((3, 2), "float32"), np.zeros(3, int), np.arange(3))
    np.testing.assert_array_equal(to_numpy(layer(TEXT, LABEL, DOMAIN)), [0.0])


def test_codes_out_of_range():
    layer = hand_made(clip=None)
    before = to_numpy(layer.counts)
    for label, domain in [(-1, 0), (1, 0), (0, -1), (0, 3)]:
        arguments = TEXT, np.array([label]), np.array([domain])
        np.testing.assert_array_equal(to_numpy(layer(*arguments)), [0.0])
        layer.update_state(*arguments)
        with pytest.raises(ValueError, match=r"`(labels|domains)` must be integers in \[0, "):
            hand_made().adapt(*arguments)
    np.testing.assert_array_equal(to_numpy(layer.counts), before)


def test_streaming_equals_one_batch():
    embeddings, labels, domains = corpus(3, 2, texts=50)
    whole, streamed, iterated = (TypicalityWeighting(3, 2) for _ in range(3))
    whole.adapt(embeddings, labels, domains)
    parts = [slice(0, 20), slice(20, 21), slice(21, 50)]
    for part in parts:
        streamed.update_state(embeddings[part], labels[part], domains[part])
    streamed.finalize()
    iterated.adapt((embeddings[p], labels[p], domains[p]) for p in parts)
    for layer in (streamed, iterated):
        np.testing.assert_allclose(
            to_numpy(layer.centroids), to_numpy(whole.centroids), rtol=1e-5, atol=1e-6
        )
        np.testing.assert_array_equal(to_numpy(layer.counts), to_numpy(whole.counts))
    # A second adapt forgets the first.
    iterated.adapt(embeddings[:20], labels[:20], domains[:20])
    assert to_numpy(iterated.counts).sum() == 20


def test_sample_weight_of_zero_leaves_a_text_out():
    embeddings, labels, domains = corpus(2, 2, texts=20)
    keep = np.arange(20) < 15
    one, two = TypicalityWeighting(2, 2), TypicalityWeighting(2, 2)
    one.update_state(embeddings, labels, domains, sample_weight=keep)
    two.update_state(embeddings[keep], labels[keep], domains[keep])
    np.testing.assert_allclose(to_numpy(one.sums), to_numpy(two.sums), atol=1e-6)
    np.testing.assert_array_equal(to_numpy(one.counts), to_numpy(two.counts))
    one.reset_state()
    assert not any(to_numpy(weight).any() for weight in one.weights)


def test_order_of_texts_does_not_matter():
    embeddings, labels, domains = corpus(3, 2)
    layer, permuted = TypicalityWeighting(3, 2), TypicalityWeighting(3, 2)
    order = np.random.default_rng(9).permutation(len(labels))
    layer.adapt(embeddings, labels, domains)
    permuted.adapt(embeddings[order], labels[order], domains[order])
    scores = to_numpy(layer(embeddings, labels, domains))
    np.testing.assert_allclose(
        to_numpy(permuted(embeddings[order], labels[order], domains[order])),
        scores[order],
        atol=1e-6,
    )


def test_names_of_domains_do_not_matter():
    embeddings, labels, domains = corpus(3, 2)
    renamed = np.array([2, 0, 1])[domains]
    scores = []
    for codes in (domains, renamed):
        layer = TypicalityWeighting(3, 2)
        layer.adapt(embeddings, labels, codes)
        scores.append(to_numpy(layer(embeddings, labels, codes)))
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_no_gradient_passes_through_a_score():
    layer = hand_made(clip=None)
    inputs = keras.Input((2,))
    dense = keras.layers.Dense(2, use_bias=False, kernel_initializer="identity")
    codes = keras.Input((), dtype="int32")
    last = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    scores = layer(dense(inputs), codes, codes)
    model = keras.Model([inputs, codes], last(keras.ops.expand_dims(scores, -1)))
    model.compile(keras.optimizers.SGD(1.0), loss="mse")
    model.train_on_batch([TEXT, LABEL], np.array([[1.65]]))
    np.testing.assert_array_equal(to_numpy(dense.kernel), np.eye(2))
    # What comes after the score learns: 1 - 2 * (0.65 - 1.65) * 0.65.
    np.testing.assert_allclose(to_numpy(last.kernel), [[2.3]], rtol=1e-5)


def test_float32_under_mixed_policy(mixed_bfloat16):
    embeddings, labels, domains = corpus(3, 2, hidden=64)
    layer = TypicalityWeighting(3, 2, clip=None)
    layer.adapt(embeddings, labels, domains)
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    scores = layer(embeddings, labels, domains)
    assert keras.backend.standardize_dtype(scores.dtype) == "float32"
    cells = oracle.centroids(embeddings, labels, domains, 3, 2)
    exact = expected(embeddings, labels, domains, layer, cells)
    np.testing.assert_allclose(to_numpy(scores), exact, atol=1e-6)
    rounded = layer(keras.ops.cast(embeddings, "bfloat16"), labels, domains)
    assert keras.backend.standardize_dtype(rounded.dtype) == "float32"
    np.testing.assert_allclose(to_numpy(rounded), exact, atol=1e-2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_domains", 0),
        ("num_domains", 1.5),
        ("num_classes", -1),
        ("alpha", 1.1),
        ("alpha", float("nan")),
        ("variant", "slides"),
        ("clip", float("inf")),
        ("class_weights", [1.0, 0.0]),
        ("class_weights", [1.0, 1.0, 1.0]),
        ("class_weights", [[1.0, float("nan")], [1.0, 1.0]]),
    ],
)
def test_bad_arguments(name, value):
    arguments = {"num_domains": 2, "num_classes": 2, name: value}
    with pytest.raises(ValueError, match=rf"`{name}` must be .* Received: "):
        TypicalityWeighting(**arguments)


def test_adapt_without_texts():
    with pytest.raises(ValueError, match="`finalize` needs"):
        TypicalityWeighting(2, 2).adapt([])
    with pytest.raises(ValueError, match="`domains` must be given with `labels`"):
        TypicalityWeighting(2, 2).adapt(TEXT, LABEL)


@pytest.mark.parametrize("class_weights", [None, [0.3, 1.0], [[1.0, 0.1], [0.2, 1.0]]])
def test_config_round_trip(class_weights):
    layer = TypicalityWeighting(
        3, 2, alpha=0.7, variant="easytransfer", clip=None, class_weights=class_weights, name="t"
    )
    config = layer.get_config()
    assert config["class_weights"] == class_weights
    assert TypicalityWeighting.from_config(config).get_config() == config


@pytest.mark.long
def test_symbolic_shape_and_saved_model(reload):
    embeddings, labels, domains = corpus(3, 2)
    inputs = [keras.Input((6,)), keras.Input((), dtype="int32"), keras.Input((), dtype="int32")]
    layer = TypicalityWeighting(3, 2, alpha=0.4, class_weights=[[1.0, 0.1], [0.2, 1.0]])
    scores = layer(*inputs)
    assert (scores.shape, scores.dtype) == ((None,), "float32")
    assert layer.compute_output_shape((7, 6)) == (7,)
    layer.adapt(embeddings, labels, domains)
    model = keras.Model(inputs, scores)
    copy = reload(model)
    np.testing.assert_array_equal(to_numpy(copy.layers[-1].counts), to_numpy(layer.counts))
    arrays = [embeddings, labels.astype("int32"), domains.astype("int32")]
    # `predict` runs the compiled graph, the call does not.
    np.testing.assert_allclose(copy.predict(arrays, verbose=0), to_numpy(layer(*arrays)), atol=1e-6)
