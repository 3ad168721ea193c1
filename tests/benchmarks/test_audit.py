"""The benchmark of audits, on texts that are easily told apart."""

import numpy as np
import pyarrow as pa

from easymft.auditing.material import Material
from easymft.config.loading import config_from_dict
from easymft.data.batches.tokenized_texts import TokenizedTexts
from easymft.data.corpus.schema import Corpus
from tests.benchmarks import audit


def easily_told_apart():
    """40 texts of each of two classes and domains, far apart in the encoder's eyes and in words."""
    labels, domains = np.arange(160) % 2, np.arange(160) // 80
    table = pa.table(
        {
            "id": pa.array(map(str, range(160))),
            "text": pa.array(f"{('dull', 'fine')[n % 2]} text {n}" for n in range(160)),
            "label": pa.array(labels, pa.int32()),
            "domain": pa.array(domains, pa.int32()),
        }
    )
    corpus = Corpus(table, ("bad", "good"), ("books", "tools"), "lists", "here")
    ones = np.ones(160, np.int32)
    tokens = TokenizedTexts(ones, np.arange(161), ones, labels, domains, 4)
    whole = Material(config_from_dict({"name": "easy"}), corpus, tokens, lambda: None)
    embeddings = np.random.default_rng(0).normal(size=(160, 6)).astype(np.float32)
    embeddings[:, 0] += 20 * labels
    vars(whole)["embeddings"] = embeddings
    return whole


def test_planted_labels_are_of_the_share_asked_for_and_found():
    whole = easily_told_apart()
    material, flipped = audit.planted(whole, seed=1, fraction=0.5, wrong=0.1)
    assert (len(flipped), flipped.sum()) == (80, 8)
    assert np.bincount(whole.labels[material.rows]).tolist() == [40, 40]
    for name, values in audit.rankings(material, seed=1).items():
        assert values.shape == (80,), name
    text = audit.planted_table(whole, [1, 2], 1.0, 0.1)
    assert "| out-of-fold probability, or loss | 1.000 ± 0.000 | 100.0 ± 0.0 |" in text
    assert "beyond 0.5: " in text
    assert text.endswith("texts, of which 32 are wrong\n")


def test_chosen_labels_stand_beside_random_ones():
    text = audit.choice_tables(easily_told_apart(), [1], start=2, budget=8, rounds=1)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].strip("| ") for row in rows[2:]] == list(audit.STRATEGIES)
    assert all("100.0" in row for row in rows[2:])
    assert "uncertain and diverse, round 1: +0.0 (+0.0 to +0.0)" in text
