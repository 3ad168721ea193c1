import json

import numpy as np
import pyarrow as pa
import pytest

from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.schema import Corpus
from easymft.methods import diagnostics, reliability
from easymft.methods.diagnostics import (
    DiagnosedTexts,
    centroids,
    diagnose,
    domain_probe,
    embedding_map,
    principal_components,
    representations,
)
from easymft.methods.evaluation import predictions_table
from easymft.models import TextClassifier, TextEmbedder
from easymft.models.text_representations import TextRepresentations
from tests.models.tiny import WIDTH, tiny_backbone

DOMAINS, LABELS = ("books", "films", "tools"), ("bad", "good")


def make_corpus(domains, labels=None, domain_names=DOMAINS):
    count = len(domains)
    labels = np.arange(count) % len(LABELS) if labels is None else labels
    table = pa.table(
        {
            "id": [f"t{i}" for i in range(count)],
            "text": ["text"] * count,
            "label": pa.array(labels, pa.int32()),
            "domain": pa.array(domains, pa.int32()),
        }
    )
    return Corpus(table, LABELS, domain_names, name="tiny", origin="here")


def make_tokens(corpus):
    """Texts of 2 to 5 tokens; the first tells the domain."""
    random = np.random.default_rng(1)
    domains = corpus.codes("domain")
    lengths = random.integers(2, 6, len(corpus))
    texts = [
        np.r_[1 + k, random.integers(5, 20, n - 1)] for k, n in zip(domains, lengths, strict=True)
    ]
    return TokenizedTexts(
        token_ids=np.concatenate(texts).astype(np.int32),
        offsets=np.r_[0, np.cumsum(lengths)],
        second_start=lengths.astype(np.int32),
        labels=corpus.codes("label"),
        domains=domains,
        max_length=8,
    )


def make_predictions(corpus, rows, model, seed):
    probabilities = np.random.default_rng(seed).dirichlet([1, 1], len(rows)).astype("float32")
    splits = np.repeat("test", len(rows))
    return predictions_table(corpus, rows, probabilities, model, splits)


@pytest.fixture(scope="module")
def classifiers():
    return [TextClassifier(tiny_backbone(seed=seed), len(LABELS), len(DOMAINS)) for seed in (0, 1)]


@pytest.fixture(scope="module")
def whole(classifiers):
    """A diagnosis of 72 texts with all there can be, and what it was made of."""
    corpus = make_corpus(np.arange(72) % 3)
    rows = np.random.default_rng(5).permutation(72)
    splits = {"train": rows[:30], "dev": rows[30:40], "test": rows[40:]}
    return corpus, splits, look(corpus, splits, *classifiers, (0,), seed=3)


def look(corpus, splits, before, after, layers, seed):
    texts, tokens = DiagnosedTexts.sample(splits, seed), make_tokens(corpus)
    old = representations(TextRepresentations(before, layers), tokens, texts.rows)
    held_out = texts.held_out
    new = None
    if after and len(held_out):
        new = representations(TextRepresentations(after, layers), tokens, held_out)
    return diagnose(corpus, texts, old, new, seed)


@pytest.mark.long
def test_diagnosis_is_complete_and_plain_json(whole):
    figures = whole[-1].figures
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert set(figures) == {"layers", "probe", "centroids", "map"}
    assert figures["layers"] == ["0", "embedding"]
    for time in ("before", "after"):
        assert list(figures["probe"][time]) == ["0", "embedding"]
        shares = figures["map"][f"explained_{time}"]
        assert 1 >= shares[0] >= shares[1] > 0
    assert (figures["probe"]["train_texts"], figures["probe"]["test_texts"]) == (21, 21)


@pytest.mark.long
def test_predictions_and_typicality_of_held_out_texts_are_looked_at_too(whole):
    corpus, splits, _ = whole
    predictions = make_predictions(corpus, splits["test"], "meta_learner", 0)
    scores = pa.table({"id": corpus.table["id"], "score": pa.array(np.linspace(0, 1, 72))})
    calibration = reliability.calibration(predictions, DOMAINS)
    assert set(calibration["meta_learner"]["test"]["domains"]) == set(DOMAINS)
    quintiles = reliability.typicality_and_errors(predictions, scores)["meta_learner"]["quintiles"]
    assert [part["texts"] for part in quintiles] == [7, 7, 6, 6, 6]


def test_map_names_the_held_out_texts(whole):
    _, splits, found = whole
    table = found.map
    assert table.schema == pa.schema(
        [(name, pa.string()) for name in ("id", "split", "domain", "label")]
        + [(f"{t}_{axis}", pa.float32()) for t in ("before", "after") for axis in "xy"]
    )
    rows = np.array([int(name[1:]) for name in table["id"].to_pylist()])
    by_split = {name: set(rows[table["split"].to_numpy() == name]) for name in ("test", "dev")}
    assert by_split == {name: set(splits[name]) for name in ("test", "dev")}
    assert table["domain"].to_pylist() == [DOMAINS[row % 3] for row in rows]
    assert table["label"].to_pylist() == [LABELS[row % 2] for row in rows]


@pytest.mark.long
def test_vectors_are_those_of_the_texts_named(whole, classifiers):
    corpus, _, found = whole
    rows = [int(name[1:]) for name in found.map["id"].to_pylist()]
    tokens = make_tokens(corpus)
    for time, classifier in zip(("before", "after"), classifiers, strict=True):
        for position in (0, 7, 41):
            row = rows[position]
            ids = tokens.token_ids[tokens.offsets[row] : tokens.offsets[row + 1]][None]
            inputs = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
            inputs["segment_ids"] = np.zeros_like(ids)
            np.testing.assert_allclose(
                found.embeddings[time][position], TextEmbedder(classifier)(inputs)[0], atol=1e-5
            )


@pytest.mark.long
def test_sample_is_seeded_and_bounded(whole, classifiers, monkeypatch):
    corpus, splits, _ = whole
    monkeypatch.setattr(diagnostics, "MAX_TEXTS", 9)

    def ids(seed):
        found = look(corpus, splits, classifiers[0], None, (), seed)
        return found.map["id"].to_pylist(), found.figures["centroids"]

    first, centroids_of_9 = ids(1)
    assert len(set(first)) == 9
    assert ids(1) == (first, centroids_of_9)
    assert ids(2)[0] != first


@pytest.mark.long
def test_without_a_mixed_phase_there_is_nothing_after(classifiers):
    corpus = make_corpus(np.arange(12) % 3)
    splits = {"train": np.arange(6), "dev": np.array([], int), "test": np.arange(6, 12)}
    found = look(corpus, splits, classifiers[0], None, (1,), 0)
    assert found.figures["probe"]["after"] is None
    assert found.figures["map"]["explained_after"] is None
    assert found.map["after_x"].null_count == 6
    assert found.map["before_x"].null_count == 0
    assert set(found.embeddings) == {"before"}
    json.dumps(found.figures, allow_nan=False)


@pytest.mark.long
@pytest.mark.parametrize(
    ("domains", "train", "test"),
    [
        ([0] * 8, range(4), range(4, 8)),  # one domain
        ([0, 1, 2] * 4, range(10), [10, 11]),  # two test texts, a domain without any
        ([0, 1, 2] * 4, [0, 6], range(1, 6)),  # training texts of one cell only
        ([0, 1, 2] * 4, range(11), [11]),
        ([0, 1, 2] * 4, range(12), []),
    ],
)
def test_small_corpora_give_null_in_place_of_nan(domains, train, test, classifiers):
    corpus = make_corpus(domains, labels=[0] * len(domains))  # a class is absent, too
    empty = np.array([], int)
    splits = {"train": np.array(train), "dev": empty, "test": np.array(test, int)}
    found = look(corpus, splits, *classifiers, (0,), 0)
    json.dumps(found.figures, allow_nan=False)
    assert len(found.map) == len(test)
    for row in found.figures["centroids"]["cosine"]:
        assert row[1] is None  # no text of the class "good"


def test_probe_finds_what_is_linear_and_nothing_else():
    random = np.random.default_rng(0)
    domains = np.arange(600) % 3
    noise = random.normal(size=(600, 4))
    told = noise + 10 * np.eye(4)[domains]
    found = domain_probe({"2": told}, {"2": noise}, domains, seed=1)
    assert found["before"] == {"2": 1.0}
    assert found["after"]["2"] < 0.45
    assert found["majority"] == pytest.approx(1 / 3)
    assert (found["train_texts"], found["test_texts"]) == (300, 300)
    # The scale of a component does not matter to a standardised probe.
    scales = 10.0 ** np.arange(-4, 4, 2)
    assert domain_probe({"2": told * scales}, None, domains, seed=1)["before"] == {"2": 1.0}


def test_probe_majority_is_that_of_the_first_half():
    # Each domain is halved, so the halves have 6 + 1 and 6 + 1 texts.
    domains = np.array([0] * 12 + [1] * 2)
    found = domain_probe({"embedding": np.zeros((14, 2))}, None, domains, seed=0)
    assert found["majority"] == pytest.approx(6 / 7)
    assert found["before"] == {"embedding": pytest.approx(6 / 7)}


def test_probe_without_two_domains_or_finite_vectors_is_null():
    vectors = np.ones((6, 2))
    assert domain_probe({"2": vectors}, None, np.zeros(6, int), 0)["before"] == {"2": None}
    vectors[3, 1] = np.nan
    assert domain_probe({"2": vectors}, None, np.arange(6) % 2, 0)["before"] == {"2": None}


def test_centroid_cosines_worked_by_hand():
    corpus = make_corpus([0, 0, 1, 1, 0], labels=[0, 0, 0, 1, 1], domain_names=("books", "films"))
    embeddings = np.array([[3, 1], [1, -1], [0, 2], [0, 0], [9, 9]], float)
    # Row 4 is left out: cell (books, good) has no text. (films, good) has one without direction.
    found = centroids(corpus, np.arange(4), embeddings[:4])
    assert found["names"] == [
        {"domain": domain, "class": label} for domain in ("books", "films") for label in LABELS
    ]
    none = [None] * 4
    assert found["cosine"] == [[1, None, 0, None], none, [0, None, 1, None], none]
    found = centroids(corpus, np.arange(5), embeddings)
    assert found["cosine"][0][1] == pytest.approx(np.sqrt(0.5))


def test_principal_components_agree_with_the_eigenvectors_of_the_covariance():
    embeddings = np.random.default_rng(2).normal(size=(40, 5)) * [5, 1, 3, 0.5, 0.1] + 7
    points, shares = principal_components(embeddings)
    values, vectors = np.linalg.eigh(np.cov(embeddings.T))
    np.testing.assert_allclose(shares, values[::-1][:2] / values.sum())
    expected = (embeddings - embeddings.mean(axis=0)) @ vectors[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-9)
    mirrored, _ = principal_components(embeddings, like=points * [-1, 1])
    np.testing.assert_allclose(mirrored, points * [-1, 1], atol=1e-9)


@pytest.mark.parametrize(
    "embeddings", [np.zeros((0, 3)), np.ones((1, 3)), np.ones((5, 3)), np.full((5, 1), 0.1)]
)
def test_principal_components_of_too_little(embeddings):
    points, shares = principal_components(embeddings)
    assert points.tolist() == [[0, 0]] * len(embeddings)
    assert shares == [0, 0]


def test_a_line_has_one_component():
    points, shares = principal_components(np.array([[0.0], [2.0]]))
    np.testing.assert_allclose(np.abs(points), [[1, 0], [1, 0]])
    assert shares == [1, 0]


def test_map_without_finite_embeddings_is_null():
    corpus = make_corpus([0, 1])
    broken = np.array([[np.inf, 0], [0, 0]])
    table, shares = embedding_map(corpus, np.arange(2), np.array(["test"] * 2), {"before": broken})
    assert shares == {"explained_before": None, "explained_after": None}
    assert table["before_x"].null_count == 2


@pytest.mark.long
def test_representations_come_in_the_order_of_the_rows(classifiers):
    corpus = make_corpus(np.arange(20) % 3)
    tokens, rows = make_tokens(corpus), np.array([7, 3, 19, 3])
    model = TextRepresentations(classifiers[0], (1, 0))
    found = representations(model, tokens, rows)
    assert list(found) == ["1", "0", "embedding"]
    alone = representations(model, tokens, rows[2:3])
    for name, vectors in found.items():
        assert vectors.shape == (4, WIDTH)
        np.testing.assert_array_equal(vectors[1], vectors[3])
        np.testing.assert_allclose(vectors[2], alone[name][0], atol=1e-5)
