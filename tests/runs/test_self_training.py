"""Self-training in whole runs on a tiny encoder: what it leaves, and that it hides the labels."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.methods import self_training as methods
from easymft.runs.execution import execute
from easymft.runs.run import Run
from tests.small_run import DOMAINS, LABELS, write_recipe

pytestmark = pytest.mark.long
FEW = ["data.split.few_shot.per_class=2", 'data.split.few_shot.rest="unlabeled"']


@pytest.fixture(autouse=True)
def fast(tmp_path, monkeypatch):
    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(tmp_path / "cache"))
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def made(folder, *settings):
    recipe = write_recipe(folder)
    return Run(load_config(recipe, [*FEW, 'self_train.gate="none"', *settings]))


@pytest.mark.parametrize(("method", "targets"), [("mix_self", "hard"), ("mft_self", "soft")])
def test_a_run_leaves_the_chosen_texts_and_one_model_more_than_the_first(tmp_path, method, targets):
    settings = ["self_train.rounds=2", "self_train.share=0.5", f'self_train.targets="{targets}"']
    run = made(tmp_path, f"method={method}", *settings)
    summary = execute(run)
    splits = json.loads(run.folder.splits.read_text())
    chosen = pq.read_table(run.folder.pseudo_labels).to_pandas()
    assert sorted(set(chosen["round"])) == [1, 2]
    assert set(chosen["id"]) <= set(splits["unlabeled"])
    assert set(splits["unlabeled"]).isdisjoint(splits["train"] + splits["dev"] + splits["test"])
    facts = summary["stages"]["self_train"]
    assert (facts["kept"], facts["asked"], facts["right"]) == (2, 2, [])
    assert "## Self-training\n\nNo gate: 2 rounds" in (run.folder.path / "report.md").read_text()
    for number, found in enumerate(facts["rounds"], start=1):
        own = chosen[chosen["round"] == number]
        for domain in DOMAINS:
            for label in LABELS:
                cell = own[(own["domain"] == domain) & (own["pseudo_label"] == label)]
                assert found["chosen"]["texts"][domain][label] == len(cell)
                right = (cell["label"] == cell["pseudo_label"]).sum()
                assert found["chosen"]["right"][domain][label] == right
    names = {path.stem for path in run.folder.model("any").parent.glob("*.keras")}
    assert {"first-learner", "meta-learner"} <= names
    assert not {name for name in names if "round" in name}
    assert not list(run.folder.path.rglob("*.partial"))


def test_the_labels_of_unlabeled_texts_change_nothing(tmp_path):
    found = []
    for flipped in (False, True):
        folder = tmp_path / str(flipped)
        folder.mkdir()
        run = made(folder, "method=mix_self", "data.split.seed=1")
        execute(run, "validate")
        if flipped:
            tokens = run.data.tokens
            rows = run.data.splits["unlabeled"]
            labels = np.array(tokens.labels)
            labels[rows] = len(LABELS) - 1 - labels[rows]
            object.__setattr__(tokens, "labels", labels)
        for stage in ("meta_fine_tune", "self_train", "evaluate"):
            execute(run, stage)
        table = pq.read_table(run.folder.predictions)
        found.append(np.stack(table["probabilities"].to_numpy()))
    np.testing.assert_array_equal(*found)


@pytest.mark.slow
def test_a_killed_stage_ends_with_the_same_numbers(tmp_path, monkeypatch):
    whole, killed = (
        _cross_fitted(tmp_path / name, name == "killed", monkeypatch)
        for name in ("whole", "killed")
    )
    assert whole[0] == killed[0]
    assert len(whole[0]) == 2
    np.testing.assert_array_equal(whole[1], killed[1])


def _cross_fitted(folder, is_killed, monkeypatch):
    folder.mkdir()
    run = made(folder, "method=mix_self", 'self_train.gate="cross_fit"')
    if is_killed:
        with monkeypatch.context() as patch:
            real, calls = methods.learn, []

            def learn(*given):
                calls.append(1)
                if len(calls) == 2:
                    raise KeyboardInterrupt
                return real(*given)

            patch.setattr(methods, "learn", learn)
            with pytest.raises(KeyboardInterrupt):
                execute(run)
        run = Run(run.config)
    facts = execute(run)["stages"]["self_train"]
    table = pq.read_table(run.folder.predictions)
    return facts["right"], np.stack(table["probabilities"].to_numpy())


def test_without_unlabeled_texts_there_is_a_clear_error(tmp_path):
    run = Run(load_config(write_recipe(tmp_path), ["method=mix_self"]))
    with pytest.raises(InputError, match="learns from texts without labels"):
        execute(run)
