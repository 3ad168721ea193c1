"""Runs of methods that train no encoder."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from easymft.config.loading import load_config
from easymft.config.method import META_LEARNER
from easymft.methods import logistic
from easymft.methods.evaluation import class_probabilities
from easymft.models import TextEmbedder
from easymft.models.inference import predict
from easymft.runs.domains import add_domain
from easymft.runs.execution import execute
from easymft.runs.run import Run
from tests.runs.conftest import write_texts
from tests.small_run import DOMAINS, texts, write_recipe

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("fast")]


@pytest.fixture
def run(tmp_path):
    run = Run(load_config(write_recipe(tmp_path), ["method=embed", "precision=float32"]))
    execute(run)
    return run


def expected_heads(run, rows, domains, names):
    """Heads of each domain on the raw features, fitted here."""
    tokens, embedder = run.data.tokens, TextEmbedder(run.load(META_LEARNER))
    features, *scale = logistic.standardized(predict(embedder, "test", tokens, rows))
    heads = logistic.fit_domain_heads(features, tokens.labels[rows], domains, 2, names)
    return [logistic.unstandardized(head, *scale) for head in heads]


def test_a_frozen_encoder_is_kept_once_with_a_table_of_heads(run):
    kept = sorted(path.name for path in (run.folder.path / "checkpoints").iterdir())
    assert kept == ["meta-learner.keras", "parts.npz"]
    assert run.domain_parts().domains == DOMAINS
    rows, tokens = run.data.splits["train"], run.data.tokens
    heads = expected_heads(run, rows, tokens.domains[rows], 3)
    table = pq.read_table(run.folder.predictions).to_pandas()
    found = table[table["model"] == "fine_tuned"].set_index("id")["probabilities"]
    for code, head in enumerate(heads):
        own = run.data.rows_of("test", code)
        embedder = TextEmbedder(run.load(META_LEARNER))
        logits = predict(embedder, "test", tokens, own) @ head.kernel + head.bias
        ids = run.data.corpus.take(own).table["id"].to_pylist()
        # Temperatures change no order.
        assert (np.stack(found[ids]).argmax(axis=1) == logits.argmax(axis=1)).all()
        raw = class_probabilities(run.with_parts(), "test", tokens, own)
        exact = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(raw, exact, atol=1e-4)


def test_a_new_domain_has_the_head_it_would_have_had_beside_all_others(run, tmp_path, monkeypatch):
    monkeypatch.setattr("easymft.runs.domains.exported", lambda run: [])
    before = run.domain_parts()
    rows = [row for row in texts() if row["domain"] == "films"][:10]
    for row in rows:
        row.pop("domain")
    path = write_texts(tmp_path / "new.csv", rows, ("id", "text", "label"))
    facts = add_domain(run, path, "garden")
    assert (facts["texts"], facts["mean_typicality"]) == (10, None)
    parts = run.domain_parts()
    assert parts.domains == (*DOMAINS, "garden")
    for name, table in before.tables.items():
        np.testing.assert_array_equal(parts.tables[name][:3], table)
    # Its texts are films', which the corpus has.
    ids = run.data.corpus.table["id"].to_pylist()
    train, new = run.data.splits["train"], [ids.index(row["id"]) for row in rows]
    domains = np.concatenate([run.data.tokens.domains[train], np.full(10, 3)])
    head = expected_heads(run, np.concatenate([train, new]), domains, 4)[3]
    shared = run.load(META_LEARNER).class_head.get_weights()
    np.testing.assert_allclose(parts.tables["head/kernels"][3] + shared[0], head.kernel, atol=1e-4)
    np.testing.assert_allclose(parts.tables["head/shifts"][3] + shared[1], head.bias, atol=1e-4)
