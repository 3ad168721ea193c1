"""What the layers promise for every input, not only for those of the examples."""

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from easymft.layers import DomainCorruptionHead, MaskedMeanPooling, TypicalityWeighting

DOMAINS, CLASSES, HIDDEN = 3, 2, 4
LARGEST = float(np.finfo("float32").max)
SMALLEST = float(np.finfo("float32").tiny)  # a result that is smaller may become zero
# Rounding of a few sums of products of numbers up to 1.
ROUNDING = 1e-5
few = settings(max_examples=40, deadline=None)


def floats(limit):
    # No subnormal numbers: some devices take them for zero.
    return st.floats(-limit, limit, width=32, allow_subnormal=False)


@st.composite
def corpora(draw, limit=1e3):
    """Embeddings with labels and domains; some cells may be empty, some vectors zero."""
    texts = draw(st.integers(1, 12))
    return (
        draw(arrays.arrays("float32", (texts, HIDDEN), elements=floats(limit))),
        draw(arrays.arrays("int32", texts, elements=st.integers(0, CLASSES - 1))),
        draw(arrays.arrays("int32", texts, elements=st.integers(0, DOMAINS - 1))),
    )


layers = st.builds(
    TypicalityWeighting,
    st.just(DOMAINS),
    st.just(CLASSES),
    alpha=st.floats(0, 1),
    variant=st.sampled_from(["paper", "easytransfer"]),
    clip=st.none(),
    class_weights=st.none() | st.just([1.0, 0.25]),
)


def raw_scores(layer, corpus):
    layer.adapt(*corpus)
    return keras.ops.convert_to_numpy(layer.raw_scores(*corpus))


@pytest.mark.long
@few
@given(layers, corpora(LARGEST))
def test_typicality_is_finite_and_within_bounds_for_every_finite_input(layer, corpus):
    scores = raw_scores(layer, corpus)
    assert np.isfinite(scores).all()
    assert np.abs(scores).max() <= 1 + ROUNDING
    layer.clip = 0.25
    clipped = keras.ops.convert_to_numpy(layer.call(*corpus))
    np.testing.assert_array_equal(clipped, np.maximum(scores, 0.25))


@pytest.mark.long
@few
@given(layers, corpora(), st.randoms(use_true_random=False))
def test_typicality_goes_with_its_text(layer, corpus, random):
    order = np.arange(len(corpus[0]))
    random.shuffle(order)
    scores = raw_scores(layer, corpus)
    permuted = raw_scores(layer, tuple(column[order] for column in corpus))
    # Sums in another order are rounded otherwise; where vectors cancel, what is left is rounding.
    if is_well_conditioned(corpus):
        np.testing.assert_allclose(permuted, scores[order], atol=1e-3)


@pytest.mark.long
@few
@given(layers, corpora())
def test_tensors_are_scored_as_arrays_are(layer, corpus):
    scores = raw_scores(layer, corpus)
    tensors = [keras.ops.convert_to_tensor(part) for part in corpus]
    found = keras.ops.convert_to_numpy(layer.raw_scores(*tensors))
    np.testing.assert_allclose(found, scores, atol=1e-6)
    if is_well_conditioned(corpus):
        np.testing.assert_allclose(raw_scores(layer, tensors), scores, atol=1e-3)


@pytest.mark.long
@few
@given(layers, corpora(), st.integers(-60, 60))
def test_typicality_does_not_depend_on_the_scale(layer, corpus, exponent):
    # A power of two changes no digit of any number, unless it falls below the smallest.
    embeddings = corpus[0]
    embeddings[np.abs(embeddings) < 1e-6] = 0
    scaled = (embeddings * np.float32(2.0**exponent), *corpus[1:])
    np.testing.assert_array_equal(raw_scores(layer, scaled), raw_scores(layer, corpus))


@pytest.mark.long
@few
@given(layers, corpora(), arrays.arrays("int32", 12, elements=st.integers(-20, 20)))
def test_typicality_does_not_depend_on_the_length_of_a_text(layer, corpus, exponents):
    layer.adapt(*corpus)
    embeddings, *codes = corpus
    embeddings[np.abs(embeddings) < 1e-6] = 0
    longer = embeddings * np.float32(2.0) ** exponents[: len(embeddings), None]
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(layer.raw_scores(longer.astype("float32"), *codes)),
        keras.ops.convert_to_numpy(layer.raw_scores(embeddings, *codes)),
    )


@few
@given(
    arrays.arrays("float32", (3, 5, HIDDEN), elements=floats(float(np.float32(1e34)))),
    arrays.arrays("bool", (3, 5)),
    st.permutations(range(5)),
)
@example(np.full((3, 5, HIDDEN), -1e-45, "float32"), np.ones((3, 5), bool), range(5))
def test_pooling_is_finite_within_the_tokens_and_blind_to_their_order(tokens, mask, order):
    pool = MaskedMeanPooling()
    mean = keras.ops.convert_to_numpy(pool(tokens, mask=mask))
    assert np.isfinite(mean).all()
    kept = np.where(mask[..., None], tokens, 0)
    slack = ROUNDING * np.abs(kept).max(axis=1) + SMALLEST
    assert (mean <= kept.max(axis=1, initial=-np.inf, where=mask[..., None]) + slack)[
        mask.any(1)
    ].all()
    assert (mean[~mask.any(1)] == 0).all()
    order = list(order)
    permuted = keras.ops.convert_to_numpy(pool(tokens[:, order], mask=mask[:, order]))
    np.testing.assert_allclose(permuted, mean, rtol=0, atol=slack.max() + 1e-30)


@pytest.mark.long
@pytest.mark.parametrize("corruption", ["uniform", "shuffle", "other"])
@few
@given(arrays.arrays("int32", st.integers(1, 8), elements=st.integers(0, DOMAINS - 1)))
def test_corrupted_labels_are_domains(corruption, domains):
    z = keras.ops.convert_to_numpy(DomainCorruptionHead(DOMAINS, corruption).corrupt(domains))
    assert z.shape == domains.shape
    assert ((z >= 0) & (z < DOMAINS)).all()
    if corruption == "other":
        assert (z != domains).all()
    if corruption == "shuffle":
        np.testing.assert_array_equal(np.sort(z), np.sort(domains))


@pytest.mark.long
@few
@given(
    arrays.arrays("float32", (4, HIDDEN), elements=floats(float(np.float32(1e30)))),
    arrays.arrays("int32", 4, elements=st.integers(0, DOMAINS - 1)),
    st.permutations(range(4)),
)
def test_corruption_head_is_finite_and_goes_with_its_text(hidden, domains, order):
    head, order = DomainCorruptionHead(DOMAINS, seed=1), list(order)
    logits = keras.ops.convert_to_numpy(head(hidden, domains))
    losses = keras.ops.convert_to_numpy(head.loss(logits, domains))
    assert np.isfinite(losses).all()
    assert (losses >= -ROUNDING).all()
    permuted = keras.ops.convert_to_numpy(head(hidden[order], domains[order]))
    np.testing.assert_allclose(permuted, logits[order], rtol=1e-5, atol=1e-5 * np.abs(hidden).max())


def is_well_conditioned(corpus):
    """Whether no sum of the vectors that are added up nearly cancels."""
    embeddings, labels, domains = corpus
    lengths = np.linalg.norm(embeddings.astype("float64"), axis=1)
    if (lengths < 1e-3).any():
        return False
    for label in range(CLASSES):
        sums = []
        for domain in range(DOMAINS):
            cell = (labels == label) & (domains == domain)
            total = embeddings[cell].astype("float64").sum(axis=0)
            if cell.any() and np.linalg.norm(total) < 1e-2 * lengths[cell].sum():
                return False
            sums.append(total / max(cell.sum(), 1))
        for left in range(DOMAINS):
            others = [vector for d, vector in enumerate(sums) if d != left]
            size = sum(map(np.linalg.norm, others))
            if size and np.linalg.norm(np.sum(others, axis=0)) < 1e-2 * size:
                return False
    return True
