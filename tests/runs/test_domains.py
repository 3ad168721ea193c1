"""Domains that are added to a finished run, and removed."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from easymft.config.loading import load_config
from easymft.errors import InputError, InputErrors
from easymft.export.predictor import Predictor
from easymft.methods.evaluation import class_probabilities
from easymft.models import TextEmbedder
from easymft.models.inference import predict
from easymft.runs.domains import add_domain, remove_domain
from easymft.runs.execution import execute
from easymft.runs.run import Run
from tests.layers import oracle
from tests.runs.conftest import SETTINGS, write_texts
from tests.small_run import DOMAINS, texts

TEXTS = [row["text"] for row in texts()[::7]]
pytestmark = pytest.mark.long


def answers(run, domain):
    predictor = Predictor(run.folder.export)
    given = {"text": TEXTS, "domain": [domain] * len(TEXTS)}
    return np.array(predictor(given)["probability_good"])


@pytest.mark.slow
def test_a_new_domain_leaves_all_others_as_they_were_bit_for_bit(run, tmp_path):
    tables = run.domain_parts().tables
    before = {domain: answers(run, domain) for domain in (*DOMAINS, "", "garden")}
    learner = run.fingerprint("meta-learner")
    facts = add_domain(run, write_texts(tmp_path / "new.csv"), " garden ")
    assert facts["models"] == ["export/combined/2"]
    assert facts["texts"] == 24
    # A text of a domain in a batch of five and a third, as each had in a batch of 16.
    assert facts["history"][-1]["step"] == -(-24 // 5)
    assert run.fingerprint("meta-learner") == learner
    assert run.domain_parts().domains == (*DOMAINS, "garden")
    for name, table in run.domain_parts().tables.items():
        np.testing.assert_array_equal(table[:3], tables[name])
    for domain in (*DOMAINS, ""):
        np.testing.assert_array_equal(answers(run, domain), before[domain])
    np.testing.assert_array_equal(before["garden"], before[""])
    assert np.abs(answers(run, "garden") - before[""]).max() > 1e-3

    # And back again.
    assert remove_domain(run, "garden")["models"] == ["export/combined/3"]
    for domain in (*DOMAINS, "", "garden"):
        np.testing.assert_array_equal(answers(run, domain), before[domain])
    assert not list((run.folder.path / "added").iterdir())


@pytest.mark.slow
def test_a_run_is_evaluated_as_before_with_domains_added(run, tmp_path):
    before = pq.read_table(run.folder.predictions)
    add_domain(run, write_texts(tmp_path / "new.csv"), "a garden")
    execute(run, "evaluate")
    assert pq.read_table(run.folder.predictions).equals(before)
    remove_domain(run, "films")
    model, rows = run.with_parts(), run.data.rows_of("test", DOMAINS.index("films"))
    own, shared = (
        class_probabilities(one, "test", run.data.tokens, rows)
        for one in (model, model.meta_learner())
    )
    np.testing.assert_array_equal(own, shared)


def test_typicality_is_that_beside_the_centroids_of_the_run(run, tmp_path):
    rows = [{**row, "id": f"new-{row['id']}"} for row in texts()[:12] if row["domain"] == "books"]
    path = write_texts(tmp_path / "new.csv", rows, ("id", "text", "label"))
    mean = add_domain(run, path, "garden")["mean_typicality"]
    (folder,) = (run.folder.path / "added").iterdir()
    table = pq.read_table(folder / "typicality.parquet").to_pydict()
    assert set(table["domain"]) == {"garden"}

    # Their texts are those of books, whose embeddings the corpus has, too.
    data = run.data
    train = data.splits["train"]
    embedder = TextEmbedder(run.new_classifier())
    every = predict(embedder, "test", data.tokens, np.arange(len(data.corpus)))
    ids = data.corpus.table["id"].to_pylist()
    new = [ids.index(row["id"].removeprefix("new-")) for row in rows]
    vectors = np.concatenate([every[train], every[new]])
    labels = np.concatenate([data.tokens.labels[train], data.tokens.labels[new]])
    domains = np.concatenate([data.tokens.domains[train], np.full(len(new), 3)])
    cells = oracle.centroids(vectors, labels, domains, 4, 2)
    expected = [
        oracle.typicality(every[row], data.tokens.labels[row], 3, cells, np.eye(2)) for row in new
    ]
    np.testing.assert_allclose(table["score"], expected, atol=1e-5)
    assert mean == pytest.approx(np.mean(expected), abs=1e-5)


@pytest.mark.parametrize("name", ["books", " books", "", "meta-learner"])
def test_names_that_cannot_be_added(run, tmp_path, name):
    with pytest.raises(InputError, match=r"`--name`: .*(already|must name a domain)"):
        add_domain(run, write_texts(tmp_path / "new.csv"), name)


@pytest.mark.parametrize("name", ["garden", "", "book"])
def test_names_that_cannot_be_removed(run, name):
    with pytest.raises(InputError, match=r"`--name`: must (be|name) a domain"):
        remove_domain(run, name)


def test_the_last_domain_stays(run):
    for name in DOMAINS[:2]:
        remove_domain(run, name)
    with pytest.raises(InputError, match="'tools' is the only domain; it stays"):
        remove_domain(run, "tools")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "godo"}, r"new.csv:2: `label`: must be a class of this run .*did you mean"),
        ({"domain": "books"}, r"new.csv:2: `domain`: must be 'garden', .*Received: 'books'"),
        ({"text": ""}, r"new.csv:2: `text`: is empty"),
    ],
)
def test_texts_that_cannot_be_learned_leave_the_run_as_it_was(run, tmp_path, change, message):
    parts = run.folder.domain_parts.read_bytes()
    rows = [{**row, "domain": "garden"} for row in texts()[:4]]
    rows[0] |= change
    path = write_texts(tmp_path / "new.csv", rows, ("text", "label", "domain"))
    with pytest.raises((InputError, InputErrors), match=message):
        add_domain(run, path, "garden")
    assert run.folder.domain_parts.read_bytes() == parts
    assert not (run.folder.path / "added").exists()


def test_runs_with_whole_copies_or_none_yet_are_refused(finished, tmp_path):
    path = write_texts(tmp_path / "new.csv")
    output = f"output_dir={tmp_path / 'others'}"
    copies = Run(load_config(finished / "tiny.json", [output]))
    with pytest.raises(InputError, match=r"`--mode`: .*whole copies .*`fine_tune.parts`"):
        add_domain(copies, path, "garden")
    untrained = Run(load_config(finished / "tiny.json", [*SETTINGS, output]))
    with pytest.raises(InputError, match=r"`--mode`: .*not trained yet"):
        add_domain(untrained, path, "garden")
    with pytest.raises(InputError, match=r"`--mode`: .*not trained yet"):
        remove_domain(untrained, "books")


def test_a_domain_keeps_the_meta_learner_where_its_parts_do_no_better_on_dev(run, tmp_path):
    own = run.config.fine_tune.model_copy(
        update={
            "select_best_on_dev": True,
            "adapters": run.config.fine_tune.adapters.model_copy(update={"epochs": 0}),
        }
    )
    rows = [{**row, "split": "train" if n % 2 else "dev"} for n, row in enumerate(texts()[:24])]
    path = write_texts(tmp_path / "new.csv", rows, ("text", "label", "split"))
    columns = run.config.data.columns.model_copy(update={"split": "split"})
    data = run.config.data.model_copy(update={"columns": columns})
    run.config = run.config.model_copy(update={"fine_tune": own, "data": data})
    run.folder.open = lambda: None
    add_domain(run, path, "garden")
    np.testing.assert_array_equal(answers(run, "garden"), answers(run, ""))
