"""Runs whose domains have small parts beside one meta-learner."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from easymft import files
from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.export.predictor import Predictor
from easymft.methods.evaluation import class_probabilities
from easymft.runs.execution import execute
from easymft.runs.plan import plan
from easymft.runs.run import Run
from tests.small_run import DOMAINS, write_recipe

SETTINGS = [
    "precision=float32",
    "fine_tune.parts=lora",
    "fine_tune.adapters.learning_rate=0.05",
    "answers.calibrate=false",
]


pytestmark = pytest.mark.usefixtures("fast")


def predictions(run):
    table = pq.read_table(run.folder.predictions).to_pandas()
    return {by: part.set_index("id") for by, part in table.groupby("model")}


@pytest.mark.long
@pytest.mark.parametrize("parts", ["lora", "bias", "head"])
def test_a_run_keeps_one_model_and_a_file_of_parts_that_answers_by_domain(tmp_path, parts):
    run = Run(load_config(write_recipe(tmp_path), [*SETTINGS, f"fine_tune.parts={parts}"]))
    summary = execute(run)
    kept = sorted(path.name for path in (run.folder.path / "checkpoints").iterdir())
    assert kept == ["meta-learner.keras", "parts.npz"]
    assert run.domain_parts().domains == DOMAINS
    assert all(
        table.any(axis=tuple(range(1, table.ndim))).all()
        for table in run.domain_parts().tables.values()
    )
    # All domains in one pass: as many steps as their texts together make.
    (history,) = summary["stages"]["fine_tune"]["history"].values()
    texts = len(run.data.splits["train"])
    assert history[-1]["step"] == -(-texts // 16) == plan(run, 0.0).steps["fine_tune"][0]

    found = predictions(run)
    assert sorted(found["fine_tuned"].index) == sorted(found["meta_learner"].index)
    own = np.stack(found["fine_tuned"]["probabilities"])
    shared = np.stack(found["meta_learner"].loc[found["fine_tuned"].index]["probabilities"])
    assert np.abs(own - shared).max() > 1e-3
    # The parts put into the weights of a plain model answer alike.
    model = run.with_parts()
    for code, domain in enumerate(DOMAINS):
        rows = run.data.rows_of("test", code)
        expected = class_probabilities(model.merged(code), "test", run.data.tokens, rows)
        ids = run.data.corpus.take(rows).table["id"].to_pylist()
        answers = found["fine_tuned"].loc[ids]
        assert set(answers["domain"]) == {domain}
        np.testing.assert_allclose(np.stack(answers["probabilities"]), expected, atol=1e-5)
    assert "lora, beside" in (run.folder.path / "report.md").read_text() or parts != "lora"


@pytest.mark.long
def test_domains_whose_parts_do_no_better_on_dev_keep_the_meta_learner(tmp_path):
    settings = [*SETTINGS, "fine_tune.select_best_on_dev=true", "fine_tune.adapters.epochs=0"]
    run = Run(load_config(write_recipe(tmp_path), settings))
    summary = execute(run)
    assert summary["stages"]["fine_tune"]["keep_meta_learner"] == list(DOMAINS)
    assert not any(table.any() for table in run.domain_parts().tables.values())
    assert run.domain_parts().domains == DOMAINS
    found = predictions(run)
    own, shared = found["fine_tuned"], found["meta_learner"].loc[found["fine_tuned"].index]
    np.testing.assert_array_equal(np.stack(own["probabilities"]), np.stack(shared["probabilities"]))


@pytest.mark.long
def test_a_domain_left_out_of_meta_learning_has_parts_too(tmp_path):
    run = Run(load_config(write_recipe(tmp_path), [*SETTINGS, "data.split.leave_out=films"]))
    execute(run)
    table = run.domain_parts().tables["head/kernels"]
    assert table[DOMAINS.index("films")].any()
    ids = set(predictions(run)["fine_tuned"].index)
    left_out = json.loads(run.folder.splits.read_text())["left_out_dev"]
    assert left_out
    assert ids >= set(left_out)


@pytest.mark.long
def test_a_method_without_a_meta_learner_trains_whole_copies(tmp_path):
    run = Run(load_config(write_recipe(tmp_path, method="single"), SETTINGS))
    assert not run.has_parts
    execute(run)
    assert len(run.models()) == len(DOMAINS)


def test_parts_stand_beside_the_meta_learners_class_head_only(tmp_path):
    run = Run(load_config(write_recipe(tmp_path), [*SETTINGS, "mft.keep_class_head=false"]))
    with pytest.raises(InputError, match=r"`mft.keep_class_head`: .*`fine_tune.parts` \"all\""):
        execute(run, "validate")


@pytest.mark.long
def test_damaged_parts_are_named(tmp_path):
    run = Run(load_config(write_recipe(tmp_path), SETTINGS))
    execute(run)
    run.folder.domain_parts.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match="damaged; `--restart` begins anew") as caught:
        run.with_parts()
    assert caught.value.file == run.folder.domain_parts


@pytest.mark.slow
def test_an_export_is_one_model_unless_single_ones_are_asked_for(tmp_path):
    path = write_recipe(tmp_path)
    run = Run(load_config(path, [*SETTINGS, "export=true"]))
    assert execute(run)["stages"]["export"]["models"] == ["export/combined/1"]
    tf.config.run_functions_eagerly(False)
    found, tested = predictions(run)["fine_tuned"], run.data.rows_of("test")
    texts = run.data.corpus.take(tested).table
    answers = Predictor(run.folder.export)(
        {
            "text": texts["text"].to_pylist(),
            "domain": [DOMAINS[code] for code in texts["domain"].to_pylist()],
        }
    )
    own = np.stack(found.loc[texts["id"].to_pylist()]["probabilities"])
    np.testing.assert_allclose(answers["probability_good"], own[:, 1], atol=1e-5)

    run = Run(load_config(path, [*SETTINGS, "export.single=true"]))
    models = execute(run, "export")["stages"]["export"]["models"]
    names = ("meta-learner", *DOMAINS)
    assert models == [*(f"export/{name}/1" for name in names), "export/combined/1"]
    of_books = Predictor(run.folder.export / "books")({"text": texts["text"].to_pylist()})
    books = np.array(texts["domain"].to_pylist()) == DOMAINS.index("books")
    np.testing.assert_allclose(
        np.array(of_books["probability_good"])[books], own[books, 1], atol=1e-4
    )


def test_a_folder_of_an_earlier_version_has_whole_copies(tmp_path):
    run = Run(load_config(write_recipe(tmp_path)))
    saved = run.config.to_dict()
    del saved["data"]["label_sets"], saved["fine_tune"]["parts"], saved["fine_tune"]["adapters"]
    saved["fine_tune"]["lora_rank"], saved["export"] = 8, False
    files.write_json(run.folder.path / "config.json", saved)
    run.folder.open()
    assert not run.has_parts
    assert list(run.models()) == ["meta-learner", *(f"{k}-{d}" for k, d in enumerate(DOMAINS))]
    with pytest.raises(InputError, match=r"other settings \(`fine_tune.parts`"):
        Run(load_config(tmp_path / "tiny.json", SETTINGS[1:])).folder.open()
