import keras
import numpy as np
import pytest

from easymft.layers import TypicalityWeighting
from easymft.models import scoring
from tests.layers import oracle
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, tokenized

TEXTS, WIDTH = 40, 5
TOKENS = tokenized(TEXTS)
EMBEDDINGS = np.random.default_rng(3).normal(size=(TEXTS, WIDTH)).astype("float32")


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("chunk", [7, 25, 1000])
def test_scores_in_chunks_are_those_of_all_at_once(monkeypatch, chunk, policy):
    asked = []

    def predict(embedder, name, tokens, rows):
        asked.append(len(rows))
        return EMBEDDINGS[rows]

    monkeypatch.setattr(scoring, "predict", predict)
    monkeypatch.setattr(scoring, "CHUNK", chunk)
    order = np.random.default_rng(1).permutation(TEXTS)
    splits = {"train": order[:25], "dev": order[25:30], "test": order[30:]}
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        layer = TypicalityWeighting(NUM_DOMAINS, NUM_CLASSES)
        scores = scoring.scores(None, TOKENS, splits, layer)
    finally:
        keras.config.set_dtype_policy(previous)

    # One pass over all texts, never more than a chunk of them in memory.
    assert sum(asked) == TEXTS
    assert max(asked) <= chunk
    train = splits["train"]
    cells = oracle.centroids(
        EMBEDDINGS[train], TOKENS.labels[train], TOKENS.domains[train], NUM_DOMAINS, NUM_CLASSES
    )
    for name, rows in splits.items():
        expected = [
            oracle.typicality(EMBEDDINGS[i], TOKENS.labels[i], TOKENS.domains[i], cells, np.eye(2))
            for i in rows
        ]
        np.testing.assert_allclose(scores[name], expected, atol=1e-6)
        assert scores[name].dtype == np.float32
