"""Self-training in whole runs on a tiny encoder: what it leaves, and that it hides the labels."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.methods import self_training as methods
from easymft.runs.execution import execute
from easymft.runs.plan import plan
from easymft.runs.run import Run
from tests.small_run import DOMAINS, LABELS, write_recipe

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("fast")]
FEW = ["data.split.few_shot.per_class=2", 'data.split.few_shot.rest="unlabeled"']


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


BARE = ['data.split.leave_out="tools"', 'data.split.left_out="unlabeled"']


@pytest.mark.parametrize("method", ["mix_self", pytest.param("mft_self", marks=pytest.mark.slow)])
def test_domains_without_labels_get_pseudo_labels_from_the_others(tmp_path, method):
    path = write_recipe(tmp_path, method=method, diagnose=method == "mft_self")
    more = tmp_path / "more.csv"
    rows = [f"g{number},cafe {'good ' * number}!,garden\n" for number in range(8)]
    more.write_text("".join(["id,text,domain\n", *rows]))
    files = {"all": str(tmp_path / "texts.csv"), "unlabeled": str(more)}
    run = Run(
        load_config(path, [*BARE, 'self_train.gate="none"', f"data.files={json.dumps(files)}"])
    )
    words = "no labels to learn from in domains 'garden', 'tools': others alone teach its classes"
    assert f"warning: {words}" in plan(run, text_seconds=0.1).lines()
    summary = execute(run)
    chosen = pq.read_table(run.folder.pseudo_labels).to_pandas()
    assert set(chosen["domain"]) == {"garden", "tools"}
    for domain, is_known in (("garden", False), ("tools", True)):
        own = chosen[chosen["domain"] == domain]
        asked = run.data.splits["unlabeled"]
        texts = (
            run.data.corpus.codes("domain")[asked] == run.data.corpus.domains.index(domain)
        ).sum()
        # Half of them, shared out among the classes as the labelled texts of the others are.
        assert own["pseudo_label"].value_counts().max() <= texts // 4
        assert (own["label"].notna() == is_known).all()
    tested = summary["metrics"]["meta_learner"]["test"]["domains"]
    assert tested["tools"]["texts"] > 0 == tested["garden"]["texts"]
    if method == "mft_self":
        assert summary["metrics"]["fine_tuned"]["test"]["domains"]["tools"] == tested["tools"]
        assert summary["stages"]["fine_tune"]["without_labels"] == ["garden", "tools"]
        report = (run.folder.path / "report.md").read_text()
        assert "garden, tools: the meta-learner, for want of labels" in report


@pytest.mark.parametrize("method", ["mtl", "single"])
def test_methods_that_nothing_teaches_such_a_domain_by_say_so(tmp_path, method):
    run = Run(load_config(write_recipe(tmp_path), [*BARE, f"method={method}"]))
    with pytest.raises(InputError, match="nothing to teach domain 'tools' by"):
        execute(run)
