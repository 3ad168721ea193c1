"""Many runs of a recipe: cells, tables, resuming; and the search for settings."""

import json
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from easymft.config import METHODS
from easymft.errors import InputError
from easymft.methods import phases
from easymft.report.markdown import escape
from easymft.report.sweep import MethodFigures
from easymft.report.sweep_tables import (
    render_latex,
    render_markdown_tables,
    render_sweep_html,
)
from easymft.runs import execution, sweep, sweep_runner
from easymft.runs.evidence import recompute_tables
from easymft.runs.folder import RunFolder
from easymft.runs.lock import locked
from easymft.runs.search import Search, _standard_error, best_settings
from easymft.runs.sweep import Sweep
from easymft.runs.trials import draw
from tests.small_run import write_recipe

pytestmark = pytest.mark.usefixtures("fast")


SWEEP = {
    "methods": ["single", "mft"],
    "seeds": [1, 2],
    "variations": {
        "few": {"data.split.few_shot": {"per_class": 3}},
        "easytransfer": {"mft.variant": "easytransfer"},
    },
    "per_method": {"mft": {"mft.alpha": 0.75}},
}

# Four runs in seconds: where what a sweep does with its runs counts, and not what these do.
CHEAP = {
    "methods": ["tfidf", "mix"],
    "seeds": [1, 2],
    "variations": {"few": SWEEP["variations"]["few"]},
}


def recipe(folder, **settings):
    path = write_recipe(folder, keep_models=False, **settings)
    values = json.loads(path.read_text())
    values["data"]["split"]["seed"] = 1
    values["meta_fine_tune"]["epochs"] = values["fine_tune"]["epochs"] = 1
    path.write_text(json.dumps(values))
    return path


def test_every_cell_has_its_own_recipe(tmp_path):
    sweep = Sweep(recipe(tmp_path, sweep=SWEEP))
    cells = sweep.planned_runs()
    assert [str(cell) for cell in cells[:3]] == [
        "few, single, seed 1",
        "few, mft, seed 1",
        "few, single, seed 2",
    ]
    assert len(cells) == 8
    configs = {str(cell): sweep._runner.config(cell) for cell in cells}
    assert configs["few, mft, seed 2"].data.split.few_shot.per_class == 3
    assert configs["few, mft, seed 2"].mft.alpha == 0.75
    assert configs["few, single, seed 2"].mft.alpha == 0.5
    # A variant decides its switches in a variation as it does in a recipe.
    assert configs["easytransfer, mft, seed 1"].backbone.pooling == "pooler"
    assert configs["few, mft, seed 1"].backbone.pooling == "mean"
    assert all(config.sweep is None for config in configs.values())


def test_a_sweep_may_run_only_some_variations(tmp_path):
    path = recipe(tmp_path, sweep=SWEEP)
    cells = Sweep(path, ['sweep.only=["easytransfer"]']).planned_runs()
    assert {cell.variation for cell in cells} == {"easytransfer"}
    with pytest.raises(InputError, match="must name variations: few, easytransfer") as error:
        Sweep(path, ['sweep.only=["few", "many"]'])
    assert "sweep.only" in str(error.value)


@pytest.mark.long
def test_a_dry_run_of_a_sweep_trains_nothing(tmp_path):
    """3 texts of 2 classes in 3 domains, seen in 2 epochs: 36, alone or in two phases."""
    path = recipe(tmp_path, sweep=SWEEP)
    few_single, few_mft, *_, total = Sweep(path).plan()
    assert few_single.startswith("few, single: 2 of 2 runs to do; each sees 36 training texts")
    assert few_mft.startswith("few, mft: 2 of 2 runs to do; each sees 36 training texts")
    assert total.startswith("estimated time of all: about ")
    assert not (tmp_path / "runs").exists()


@pytest.mark.long
def test_a_sweep_leaves_tables_and_goes_on_where_it_was_killed(tmp_path, monkeypatch):
    path = recipe(tmp_path, sweep=CHEAP)
    ran = []

    def dying_execute(run, **arguments):
        ran.append(f"{run.config.method} {run.config.seed}")
        if len(ran) == 3:
            raise KeyboardInterrupt
        return execution.execute(run, **arguments)

    with monkeypatch.context() as patch:
        patch.setattr(sweep_runner, "execute", dying_execute)
        with pytest.raises(KeyboardInterrupt):
            Sweep(path).run()
    assert ran == ["tfidf 1", "mix 1", "tfidf 2"]
    folder = tmp_path / "runs/tiny"
    assert "| 1 |" in (folder / "tables.md").read_text()

    stages = []
    monkeypatch.setattr(
        execution,
        "run_stage",
        lambda run, name, run_stage=execution.run_stage: (
            stages.append((run.config.method, run.config.seed)),
            run_stage(run, name),
        ),
    )
    text = Sweep(path).run()
    assert set(stages) == {("tfidf", 2), ("mix", 2)}
    assert text == (folder / "tables.md").read_text()

    rows = pq.read_table(folder / "results.parquet").to_pylist()
    for method in CHEAP["methods"]:
        means = [
            row["accuracy"]
            for row in rows
            if (row["method"], row["split"], row["is_method"]) == (method, "test", True)
            and row["domain"] is None
        ]
        assert len(means) == 2
        title = escape(METHODS[method].title)
        line = next(line for line in text.splitlines() if title in line)
        assert f" {100 * sum(means) / 2:.1f}" in line
    assert r"\begin{tabular}{lrrrrr}" in (folder / "tables.tex").read_text()

    # Once more: nothing runs, and the tables are made once, not for every run that is there.
    stages.clear()
    with monkeypatch.context() as patch:
        make, made = sweep.evidence_figures, []
        patch.setattr(sweep, "evidence_figures", lambda *given: made.append(given) or make(*given))
        assert Sweep(path).run() == text
    assert (stages, len(made)) == ([], 1)


@pytest.mark.long
def test_runs_that_stand_in_a_results_folder_are_not_done_again(tmp_path, monkeypatch):
    path = recipe(tmp_path, sweep={**CHEAP, "seeds": [1]})
    text = Sweep(path).run()
    kept = tmp_path / "kept"
    shutil.copytree(tmp_path / "runs/tiny", kept, ignore=shutil.ignore_patterns("few"))
    shutil.rmtree(tmp_path / "runs")
    assert recompute_tables(kept) == text

    settings = [f"sweep.results={kept}"]
    first, *_ = Sweep(path, settings).plan()
    assert first == f"2 of 2 runs stand in {kept}"
    assert Sweep(path, settings).run() == text
    assert not (tmp_path / "runs/tiny/few").exists()  # nothing ran
    for name in ("predictions.parquet", "results.parquet"):
        found, saved = (pq.read_table(f / name) for f in (tmp_path / "runs/tiny", kept))
        assert found.equals(saved)

    # Another seed goes on from there; what the two runs have stays as it is.
    ran = []
    monkeypatch.setattr(
        sweep_runner,
        "execute",
        lambda run, **given: (ran.append(run.config), execution.execute(run, **given))[1],
    )
    Sweep(path, [*settings, "sweep.seeds=[1,2]"]).run()
    assert [(config.method, config.seed) for config in ran] == [("tfidf", 2), ("mix", 2)]
    predictions = pq.read_table(tmp_path / "runs/tiny/predictions.parquet").to_pandas()
    saved = pq.read_table(kept / "predictions.parquet").to_pandas()
    of_first = predictions[predictions["seed"] == 1].reset_index(drop=True)
    assert of_first.equals(saved)
    assert set(predictions["seed"]) == {1, 2}

    shutil.rmtree(tmp_path / "runs")
    with pytest.raises(InputError, match=r"few, tfidf, seed 1: `dropout` was 0.1, now 0.2"):
        Sweep(path, [*settings, "dropout=0.2"]).run()
    texts = tmp_path / "texts.csv"
    texts.write_text(texts.read_text().replace("cafe", "!"))
    with pytest.raises(InputError, match="few: their data are not those found here"):
        Sweep(path, [*settings, "sweep.seeds=[1,2]"]).run()
    assert not (tmp_path / "runs").exists()


def test_a_wrong_variation_is_found_before_anything_runs(tmp_path):
    wrong = {**SWEEP, "variations": {"a": {}, "b": {"mft.alhpa": 1}}}
    with pytest.raises(InputError, match="alhpa"):
        Sweep(recipe(tmp_path, sweep=wrong)).run()
    assert not (tmp_path / "runs").exists()


def test_tables_show_means_errors_and_differences():
    methods = [
        MethodFigures(
            "S_1",
            {1: 0.605, 2: 0.645},
            {"a|b": (0.5, 0.01), "c": (0.75, None)},
            (0.625, 0.02),
            others={"macro-F1": (0.61, 0.03)},
        ),
        MethodFigures(
            "<b>M</b>",
            {1: 0.7},
            {"a|b": (0.6, None), "c": (0.8, None)},
            (0.7, None),
            {"S_1": (0.075, -0.01, -0.0004)},
        ),
    ]
    markdown = render_markdown_tables({"5 %": methods})
    assert "| S\\_1 | 50.0 ± 1.0 | 75.0 | 62.5 ± 2.0 | 2 |" in markdown
    assert "| S\\_1 | 61.0 ± 3.0 |\n" in markdown
    assert "| method | seed 1 | seed 2 |" in markdown
    assert "| S\\_1 | 60.5 | 64.5 |\n" in markdown
    assert r"\+7.5 \(-1.0 to \+0.0\)" in markdown  # not -0.0
    assert "<b>" not in markdown
    latex = render_latex({"5 %": methods})
    assert r"S\_1 & 50.0 $\pm$ 1.0 & 75.0 & 62.5 $\pm$ 2.0 & 2 \\" in latex
    assert r"5 \%" in latex
    page = render_sweep_html("t", "<script>", {"5 %": methods})
    assert "<script>" not in page
    assert "62.5 ± 2.0" in page
    assert page.count("<svg") == 2


def test_tables_of_nothing_are_empty():
    assert render_markdown_tables({}) == render_latex({}) == ""


SPACE = {
    "phases": [
        {"meta_fine_tune.epochs": 2, "fine_tune.epochs": 6},
        {"meta_fine_tune.epochs": 6, "fine_tune.epochs": 2},
    ],
    "rate": [
        {"meta_fine_tune.learning_rate": r, "fine_tune.learning_rate": r} for r in (1e-5, 5e-5)
    ],
    "mft.alpha": [0.0, 0.5, 1.0],
    "mft.corruption_weight": [0.1, 1.0],
    "adversary.strength": [0.1, 0.03],
}


# A recipe whose own settings are no point of SPACE.
GIVEN = {
    "meta_fine_tune": {"epochs": 3, "learning_rate": 2e-5},
    "fine_tune": {"epochs": 1, "learning_rate": 2e-5},
    "mft": {"alpha": 0.5, "corruption_weight": 0.5},
}


@pytest.mark.parametrize(
    ("method", "points"),
    [
        ("mix", 2),  # learning rates alone
        ("single", 2),
        ("adv", 4),  # and the strength
        ("mix_then_fine_tune", 4),  # and the phases
        ("mft_dc", 8),  # and the weight
        ("mft_tw", 12),  # and alpha instead
        ("mft", 24),
    ],
)
def test_the_space_of_a_method_is_what_matters_to_it(method, points):
    trials = draw(SPACE, method, 100, 0, GIVEN)
    assert len(trials) == points + 1
    assert trials[0] == {}
    assert len({json.dumps(trial, sort_keys=True) for trial in trials}) == len(trials)
    assert all(METHODS[method].reads(key) for trial in trials for key in trial)
    assert draw(SPACE, method, 2, 0, GIVEN) == trials[:2]


def test_the_recipe_itself_is_not_tried_twice():
    given = {"fine_tune": {"learning_rate": 1e-5}, "mft": {"alpha": 0.5}}
    space = {"fine_tune.learning_rate": [1e-5, 5e-5], "mft.alpha": [0.0, 0.5]}
    trials = draw(space, "mft", 100, 0, given)
    assert trials[0] == {}
    assert {tuple(trial.values()) for trial in trials[1:]} == {
        (1e-5, 0.0),
        (5e-5, 0.0),
        (5e-5, 0.5),
    }
    assert draw(space, "single", 100, 0, given) == [{}, {"fine_tune.learning_rate": 5e-5}]


def test_the_best_settings_are_best_on_average_and_by_more_than_chance():
    def row(method, settings, accuracy):
        named = {"method": method, "settings": json.dumps(settings)}
        return {**named, "dev_accuracy": accuracy, "dev_error": 0.02}

    rows = [
        *(row("mix", {}, 0.8), row("mix", {}, 0.6)),
        *(row("mix", {"a": 1}, 0.75), row("mix", {"a": 1}, 0.75)),  # 5 points above
        *(row("mft", {}, 0.5), row("mft", {"a": 2}, 0.515)),  # 1.5 points: less than an error
        *(row("mft", {"a": 3}, 0.51), row("mtl", {"b": 1}, 0.4)),
    ]
    assert best_settings(rows) == {"mix": {"a": 1}, "mft": {}, "mtl": {"b": 1}}


def test_the_error_of_an_average_over_domains():
    domains = [{"accuracy": 0.5, "texts": 100}, {"accuracy": 1.0, "texts": 50}, {"texts": 0}]
    assert _standard_error(domains) == pytest.approx(0.025)  # (0.05^2 + 0)^(1/2) / 2


@pytest.mark.long
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_search_never_looks_at_the_test_texts(tmp_path, sampler):
    if sampler == "tpe":
        pytest.importorskip("optuna", reason="needs easymft[optuna]")
    search = {"space": {"meta_fine_tune.learning_rate": [0.001, 0.1]}, "sampler": sampler}
    path = recipe(tmp_path, search={"methods": ["mix"], "trials": 2, **search})
    text = Search(path).run()
    assert Search(path).run() == text  # nothing is left to do
    folder = tmp_path / "runs/tiny/search"
    trials = pq.read_table(folder / "trials.parquet").to_pylist()
    assert [trial["trial"] for trial in trials] == ["trial-0", "trial-1"]
    best = json.loads((folder / "best.json").read_text())["mix"]
    assert json.dumps(best) in {trial["settings"] for trial in trials}
    assert all(0 <= trial["dev_error"] <= 0.5 for trial in trials)
    assert "mix" in text
    for predictions in folder.rglob("predictions.parquet"):
        assert set(pq.read_table(predictions)["split"].to_pylist()) == {"dev"}


@pytest.mark.slow
def test_runs_that_differ_in_fine_tuning_share_a_meta_learner(tmp_path, monkeypatch):
    trained = []

    def train(task, *arguments, **keywords):
        trained.append((task.config.name, task.config.seed))
        return meta_fine_tune(task, *arguments, **keywords)

    meta_fine_tune = phases.meta_fine_tune
    monkeypatch.setattr(phases, "meta_fine_tune", train)
    variations = {
        "learner": {"fine_tune.parts": "head", "fine_tune.adapters.epochs": 0},
        "lora": {"fine_tune.parts": "lora"},
        "other": {"fine_tune.parts": "lora", "meta_fine_tune.learning_rate": 0.02},
    }
    sweep = {"methods": ["mft"], "seeds": [1, 2], "variations": variations}
    planned = Sweep(recipe(tmp_path, sweep=sweep))
    planned.run()
    assert trained == [("learner", 1), ("learner", 2), ("other", 1), ("other", 2)]
    assert not list(planned.folder.glob("**/*.keras"))
    rows = pq.read_table(planned.folder / "results.parquet").to_pylist()
    averages = {
        (row["variation"], row["seed"]): row["accuracy"]
        for row in rows
        if row["domain"] is None and row["split"] == "test" and row["model"] == "meta_learner"
    }
    for seed in (1, 2):
        assert averages["learner", seed] == averages["lora", seed]
    # Nothing is trained or copied a second time.
    planned.run()
    assert len(trained) == 4


@pytest.mark.long
def test_a_run_that_another_process_does_is_passed_over_and_the_last_one_writes_all(
    tmp_path, monkeypatch
):
    """The other process does its run while this one does the next; here it is the same program."""
    path = recipe(tmp_path, sweep={**CHEAP, "methods": ["tfidf"]})
    alone = Sweep(path, [f"output_dir={tmp_path / 'alone'}"]).run()
    many, ran = Sweep(path), []
    first, second = many.planned_runs()
    runner = many._runner

    def execute(run, **given):
        ran.append(run.config.seed)
        return execution.execute(run, **given)

    monkeypatch.setattr(sweep_runner, "execute", execute)
    with locked(RunFolder(runner.config(first)).path):
        text = many.run()
        assert ran == [second.seed]
        assert runner.finished(first) is None
    assert "seed 1" not in text

    # The other process ends: it knows of its own run only, and still writes the tables of both.
    assert Sweep(path).run() == alone
    assert ran == [2, 1, 2]  # what is finished is only read
    assert (tmp_path / "runs/tiny/tables.md").read_text() == alone


@pytest.mark.slow
def test_two_processes_do_a_sweep_together(tmp_path):
    path = recipe(tmp_path, sweep={**CHEAP, "methods": ["tfidf"], "seeds": [1, 2, 3]})
    command = [sys.executable, "-m", "easymft.run", "--config", str(path), "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs/tiny"
    assert (folder / "tables.md").read_text() in done.stdout
    rows = pq.read_table(folder / "results.parquet").to_pandas()
    assert set(rows["seed"]) == {1, 2, 3}
    assert not list(folder.rglob("*.old-*"))
    logs = [log.read_text().count("Stage evaluate: done") for log in folder.rglob("run.log")]
    assert logs == [1, 1, 1]  # each run was done once

    again = subprocess.run([*command, "--restart"], capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert len(list(folder.rglob("seed-*.old-1"))) == 3
    assert not list(folder.rglob("*.old-2"))
