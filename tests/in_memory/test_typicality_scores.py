import numpy as np
import pandas as pd
import pytest

import easymft
from easymft.errors import InputError
from easymft.models import load_backbone, load_preprocessor
from tests.layers import oracle

TEXTS = ["good", "the cafe", "good the !", "goodness", "the", "cafe good", "the the", "! !"]
LABELS = ["yes", "no", "yes", "no", "yes", "no", "yes", "no"]
DOMAINS = ["b", "b", "a", "a", "c", "c", "c", "b"]


def score(tiny, **arguments):
    given = {"labels": LABELS, "domains": DOMAINS, "preset": tiny, "max_length": 8}
    return easymft.typicality_scores(TEXTS, **{**given, "precision": "float32", **arguments})


def expected(preset, alpha=0.5):
    inputs = load_preprocessor(preset, 8)(TEXTS)
    inputs = {name: np.asarray(value) for name, value in inputs.items()}
    output = np.asarray(load_backbone(preset)(inputs)["sequence_output"])
    mask = inputs["padding_mask"][..., None].astype(float)
    embeddings = (output * mask).sum(axis=1) / mask.sum(axis=1)
    labels = np.array([label == "yes" for label in LABELS]).astype(int)
    domains = np.array(["abc".index(domain) for domain in DOMAINS])
    cells = oracle.centroids(embeddings, labels, domains, 3, 2)
    rows = zip(embeddings, labels, domains, strict=True)
    return np.array([oracle.typicality(*row, cells, np.eye(2), alpha) for row in rows])


@pytest.mark.long
def test_scores_are_those_of_the_plain_numpy_computation(preset):
    scores = score(preset, clip=None)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected(preset), atol=1e-5)


@pytest.mark.long
def test_alpha_and_clip_count(preset):
    raw = expected(preset, alpha=0.9)
    bound = float(np.median(raw))
    scores = score(preset, alpha=0.9, clip=bound)
    np.testing.assert_allclose(scores, np.maximum(raw, bound), atol=1e-5)


@pytest.mark.long
def test_names_and_numbers_in_any_container_score_alike(preset):
    names = score(preset)
    numbers = score(
        preset,
        labels=np.array([label == "yes" for label in LABELS]).astype(np.int64),
        domains=pd.Series(["abc".index(domain) for domain in DOMAINS]),
    )
    np.testing.assert_array_equal(names, numbers)


@pytest.mark.long
def test_pairs_and_the_other_variant_change_the_scores(preset):
    alone = score(preset)
    pairs = score(preset, text_pairs=TEXTS[::-1])
    other = score(preset, variant="easytransfer")
    assert np.abs(alone - pairs).max() > 1e-3
    assert np.abs(alone - other).max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": LABELS[:-1]}, "`labels`: must have one value for each of the 8 texts"),
        ({"domains": ["a", None, *"abcabc"]}, r"`domains\[1\]`: is empty"),
        ({"labels": "yes"}, "`labels`: must be a list"),
        ({"alpha": 2}, "`mft.alpha`: .* Received: 2"),
        ({"variant": "papers"}, "`mft.variant`: .* Received: 'papers'"),
        ({"max_length": 17}, "at most 16"),
        ({"preset": "nothing"}, "`backbone.preset`: must be a folder"),
    ],
)
def test_what_cannot_be_used_is_named(preset, arguments, message):
    with pytest.raises(InputError, match=message):
        score(preset, **arguments)


def test_every_bad_text_is_named_at_once(preset):
    with pytest.raises(InputError) as caught:
        easymft.typicality_scores(["good", "", 5], [0, 1, 0], [0, 0, 0], preset=preset)
    assert "`texts[1]`: is empty" in str(caught.value)
    assert "`texts[2]`: must be text. Received: a int" in str(caught.value)
