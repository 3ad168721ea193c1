"""Whole runs on a tiny encoder: what they leave, and what interrupting them changes (nothing)."""

import json

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest

from easymft import files
from easymft.config import METHODS
from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.methods import session, task_typicality, typicality
from easymft.models import scoring
from easymft.models.backbone import load_backbone, load_preprocessor
from easymft.runs import execution
from easymft.runs.execution import execute
from easymft.runs.run import Run
from easymft.runs.stages import cross_fitting, training
from tests.layers import oracle
from tests.small_run import DOMAINS, LABELS, texts, write_recipe

pytestmark = pytest.mark.usefixtures("fast")


def results(experiment):
    table = pq.read_table(experiment.folder.predictions)
    return table.drop_columns("probabilities").to_pylist(), np.stack(
        table["probabilities"].to_numpy()
    )


@pytest.mark.long
def test_a_run_leaves_consistent_results(tmp_path):
    recipe = write_recipe(tmp_path, diagnose=True)
    experiment = Run(load_config(recipe, ["data.label_noise=0.2"]))
    summary = execute(experiment)

    assert experiment.folder.path == tmp_path / "runs/tiny/mft/seed-1"
    splits = json.loads(experiment.folder.splits.read_text())
    ids = [id_ for part in splits.values() for id_ in part]
    assert sorted(ids) == sorted(row["id"] for row in texts())

    # Every dev and test text once by the meta-learner and once by its own domain's model.
    rows, probabilities = results(experiment)
    for model in ("meta_learner", "fine_tuned"):
        seen = [row["id"] for row in rows if row["model"] == model]
        assert sorted(seen) == sorted(splits["dev"] + splits["test"])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    guesses = [LABELS[i] for i in probabilities.argmax(axis=1)]
    assert guesses == [row["predicted"] for row in rows]

    # The metrics are those of the predictions.
    for model, by_split in summary["metrics"].items():
        accuracies = []
        for domain in DOMAINS:
            own = [
                row["label"] == row["predicted"]
                for row in rows
                if (row["model"], row["split"], row["domain"]) == (model, "test", domain)
            ]
            figures = by_split["test"]["domains"][domain]
            assert figures["texts"] == len(own)
            assert figures["accuracy"] == pytest.approx(np.mean(own))
            low, high = figures["accuracy_interval"]
            assert low <= figures["accuracy"] <= high
            assert np.sum(figures["confusion"]) == len(own)
            accuracies.append(np.mean(own))
        assert by_split["test"]["average_accuracy"] == pytest.approx(np.mean(accuracies))
        assert by_split["test"]["worst_domain_accuracy"] == pytest.approx(min(accuracies))

    assert "MFT (Full)" in (experiment.folder.path / "report.html").read_text()
    report = (experiment.folder.path / "report.md").read_text()
    assert "MFT (Full)" in report
    assert not list(experiment.folder.path.rglob("*.partial"))

    # What the encoder knows of domains, before and after; a map of the held-out texts.
    found = summary["diagnostics"]
    trained_on = len(splits["train"])
    assert found["wrong_labels"]["texts"] == trained_on
    assert found["wrong_labels"]["flipped"] == round(0.2 * trained_on)
    assert found["wrong_labels"]["rankings"].keys() == {"low typicality", "high loss"}
    assert "were given a wrong label" in (experiment.folder.path / "report.html").read_text()
    assert found["layers"][-1] == "embedding"
    assert set(found["probe"]["before"]) == set(found["probe"]["after"]) == set(found["layers"])
    mapped = pq.read_table(experiment.folder.embeddings)["id"].to_pylist()
    assert sorted(mapped) == sorted(splits["dev"] + splits["test"])
    assert list((experiment.folder.logs / "meta-learner").glob("events*"))
    assert len(summary["case_study"]) == 6 * len(DOMAINS)

    # Probabilities have the temperatures found on the development texts; what is to be answered
    # can be asked for anew, without training.
    assert summary["answers"]["target_accuracy"] is None
    temperatures = summary["answers"]["models"]["meta_learner"]["domains"]
    text_of = {row["id"]: row["text"] for row in texts()}
    own = [n for n, row in enumerate(rows) if row["model"] == "meta_learner"]
    asked = [text_of[rows[n]["id"]] for n in own]
    inputs, learner = experiment.data.preprocessor(asked), experiment.load("meta-learner")
    logits = learner(inputs, training=False)["logits"]
    divisors = np.array([[temperatures[rows[n]["domain"]]["temperature"]] for n in own])
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(logits / divisors.astype("float32")))
    np.testing.assert_allclose(probabilities[own], expected, atol=1e-3)
    # A kept model reads texts, knows the names and answers by these temperatures, all by itself.
    by_name = {"text": asked, "domain": [rows[n]["domain"] for n in own]}
    np.testing.assert_allclose(learner.predict(by_name, verbose=0), expected, atol=1e-3)
    assert learner.classify(asked, by_name["domain"])[0] == [rows[n]["predicted"] for n in own]
    again = Run(load_config(recipe, ["data.label_noise=0.2", "answers.target_accuracy=0.6"]))
    asked = execute(again, "evaluate")["answers"]
    assert asked["target_accuracy"] == 0.6
    assert [row["temperature"] for row in asked["models"]["meta_learner"]["domains"].values()] == [
        row["temperature"] for row in temperatures.values()
    ]


@pytest.mark.long
def test_without_development_texts_rules_are_found_by_cross_fitting(tmp_path, monkeypatch):
    recipe = write_recipe(tmp_path, evaluate_on=["test"])
    wanted = ["answers.target_accuracy=0.6", "answers.folds=2"]
    with pytest.raises(InputError, match=r"take `answers\.folds` 5"):
        execute(Run(load_config(recipe, wanted[:1])))

    # Killed in the second fold, it goes on with that one.
    run, answered = Run(load_config(recipe, wanted)), []

    def counted(*args):
        answered.append(len(answered))
        if answered == [0, 1]:
            raise KeyboardInterrupt
        return answer_held_out(*args)

    answer_held_out = cross_fitting.answer_held_out
    monkeypatch.setattr(cross_fitting, "answer_held_out", counted)
    with pytest.raises(KeyboardInterrupt):
        execute(run)
    summary = execute(Run(load_config(recipe, wanted)))
    assert answered == [0, 1, 2]

    train = json.loads(run.folder.splits.read_text())["train"]
    folds = [pq.read_table(run.folder.cross_fitted(fold)).to_pylist() for fold in range(2)]
    for model in ("meta_learner", "fine_tuned"):
        asked = [[row["id"] for row in fold if row["model"] == model] for fold in folds]
        assert sorted(asked[0] + asked[1]) == sorted(train)
        assert abs(len(asked[0]) - len(asked[1])) <= len(DOMAINS)
        found = summary["answers"]["models"][model]
        assert sum(own["texts"] for own in found["domains"].values()) == len(train)
    assert summary["answers"]["found_on"] == "train"
    report = (run.folder.path / "report.md").read_text()
    assert "training texts, each answered by models that had not seen it" in report
    assert {row["split"] for row in results(run)[0]} == {"test"}

    # A finished run that asks for other folds says what to do.
    other = load_config(recipe, [wanted[0], "answers.folds=3"])
    with pytest.raises(InputError, match="`--mode cross_fit` does it anew"):
        execute(Run(other), "evaluate")


@pytest.mark.long
def test_typicality_may_be_told_by_encoders_that_know_the_task(tmp_path, monkeypatch):
    wanted = ["mft.typicality_from=cross_fitted", "mft.typicality_folds=2", "method=mft_tw"]
    recipe, scored = write_recipe(tmp_path), []

    def counted(*args):
        scored.append(score_part(*args))
        if len(scored) == 2:
            raise KeyboardInterrupt
        return scored[-1]

    score_part = task_typicality.score_part
    monkeypatch.setattr(task_typicality, "score_part", counted)
    run = Run(load_config(recipe, wanted))
    with pytest.raises(KeyboardInterrupt):
        execute(run)
    execute(Run(load_config(recipe, wanted)), "typicality")
    # Killed in its second part it went on there, and that gave the same.
    first, second, again = scored
    np.testing.assert_array_equal(again["own"], second["own"])
    found = typicality.read_scores(run.folder.typicality)["train"]
    assert sorted(found) == sorted(np.concatenate([first["own"], again["own"]]))
    assert not list(run.folder.path.rglob("*.partial"))


@pytest.mark.long
def test_typicality_is_that_of_the_plain_numpy_computation(tmp_path):
    experiment = Run(load_config(write_recipe(tmp_path)))
    execute(experiment, "validate")
    execute(experiment, "typicality")
    scores = pq.read_table(experiment.folder.typicality).to_pylist()

    row_of = {row["id"]: row for row in texts()}
    inputs = load_preprocessor(str(tmp_path / "bert"), 12)(
        [row_of[s["id"]]["text"] for s in scores]
    )
    inputs = {name: np.asarray(value) for name, value in inputs.items()}
    output = np.asarray(load_backbone(str(tmp_path / "bert"))(inputs)["sequence_output"])
    mask = inputs["padding_mask"][..., None].astype(float)
    embeddings = (output * mask).sum(axis=1) / mask.sum(axis=1)
    labels = np.array([LABELS.index(s["label"]) for s in scores])
    domains = np.array([DOMAINS.index(s["domain"]) for s in scores])
    cells = oracle.centroids(embeddings, labels, domains, len(DOMAINS), len(LABELS))
    expected = [
        oracle.typicality(*text, cells, np.eye(len(LABELS)))
        for text in zip(embeddings, labels, domains, strict=True)
    ]
    np.testing.assert_allclose([s["score"] for s in scores], expected, atol=1e-5)


# The first two differ from `mft` in one setting of the model alone, and tests/test_sweep.py runs
# the others: they wait for the slow tests.
_SLOW = {"mft_dc", "mft_tw", "single", "mix"}


@pytest.mark.long
@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in _SLOW else [])
        for name in METHODS
        # Every other test of this file runs `mft`; test_self_training.py what self-trains.
        if name != "mft" and not METHODS[name].self_trains
    ],
)
def test_every_method_runs(tmp_path, method):
    path = write_recipe(tmp_path, method=method)
    experiment = Run(load_config(path, ["mft.variant=easytransfer"]))
    metrics = execute(experiment)["metrics"]
    expected = {"meta_learner"} if METHODS[method].model else set()
    expected |= {"fine_tuned"} if METHODS[method].fine_tunes else set()
    assert set(metrics) == expected


def test_all_methods_see_the_same_number_of_texts(tmp_path):
    config = load_config(write_recipe(tmp_path))
    for method in (method for method in METHODS.values() if method.trains_encoder):
        phases = method.phases(config.meta_fine_tune, config.fine_tune)
        assert sum(phase.epochs for phase in phases if phase) == 3


@pytest.mark.long
def test_a_run_killed_in_training_ends_with_the_same_numbers(tmp_path, monkeypatch):
    path = write_recipe(tmp_path, fine_tune={"learning_rate": 0.01, "batch_size": 8, "epochs": 1})
    whole = Run(load_config(path, ["name=whole"]))
    execute(whole)

    # Checkpoints after every step; the process dies in the third of the six of meta fine-tuning,
    # then in the last of the two of the second domain.
    monkeypatch.setattr(session, "CHUNK_STEPS", 1)
    monkeypatch.setattr(session, "CHECKPOINT_SECONDS", 0)
    for stage, deadly_chunk in (("meta_fine_tune", 3), ("fine_tune", 8)):
        chunks = []
        fit = keras.Model.fit

        def dying_fit(model, *args, chunks=chunks, fit=fit, deadly_chunk=deadly_chunk, **kwargs):
            chunks.append(1)
            if len(chunks) == deadly_chunk:
                raise KeyboardInterrupt
            return fit(model, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(keras.Model, "fit", dying_fit)
            killed = Run(load_config(path, ["name=killed"]))
            with pytest.raises(KeyboardInterrupt):
                execute(killed)
        assert not killed.folder.is_done(stage)
    execute(Run(load_config(path, ["name=killed"])))

    (rows, probabilities), (other_rows, other) = results(whole), results(killed)
    assert rows == other_rows
    np.testing.assert_allclose(probabilities, other, atol=1e-5)


@pytest.mark.long
def test_another_seed_or_the_same_one(tmp_path):
    path = write_recipe(tmp_path, method="mix")
    first, again, other = (
        Run(load_config(path, overrides))
        for overrides in (["name=a"], ["name=b"], ["name=c", "seed=2", "data.split.seed=1"])
    )
    for experiment in (first, again, other):
        execute(experiment)
    np.testing.assert_array_equal(results(first)[1], results(again)[1])
    assert results(first)[0] == results(again)[0]
    assert np.abs(results(first)[1] - results(other)[1]).max() > 1e-4


@pytest.mark.long
def test_leave_one_domain_out(tmp_path):
    path = write_recipe(tmp_path)
    overrides = ["data.split.leave_out=tools", 'data.split.few_shot={"per_class":3}']
    experiment = Run(load_config(path, overrides))
    metrics = execute(experiment)["metrics"]
    scored = pq.read_table(experiment.folder.typicality, filters=[("split", "=", "train")])
    assert set(scored["domain"].to_pylist()) == {"books", "films"}
    for model in ("meta_learner", "fine_tuned"):
        assert metrics[model]["test"]["domains"]["tools"]["texts"] > 0


def test_a_folder_of_other_settings_or_data_is_refused(tmp_path):
    path = write_recipe(tmp_path)
    execute(Run(load_config(path)), "validate")
    with pytest.raises(InputError, match=r"other settings \(`mft.alpha` was 0.5, now 0.25\)"):
        execute(Run(load_config(path, ["mft.alpha=0.25"])), "validate")
    # How results are shown is no other setting.
    execute(Run(load_config(path, ["case_study=1"])), "validate")
    # Nor is a setting that the version which began the run did not have, or called otherwise.
    experiment = Run(load_config(path))
    saved = json.loads((experiment.folder.path / "config.json").read_text())
    del saved["fine_tune"]["select_best_on_dev"]
    saved["optimizer"]["warmup"] = saved["optimizer"].pop("warmup_ratio")  # as it was called then
    (experiment.folder.path / "config.json").write_text(json.dumps(saved))
    execute(Run(load_config(path)), "validate")
    with pytest.raises(InputError, match=r"`fine_tune.select_best_on_dev` was False, now True"):
        execute(Run(load_config(path, ["fine_tune.select_best_on_dev=true"])), "validate")

    data = tmp_path / "texts.csv"
    data.write_text(data.read_text().replace("the the the", "cafe cafe cafe !", 1))
    with pytest.raises(InputError, match="data changed"):
        execute(Run(load_config(path)), "typicality")


def test_a_stage_needs_those_before_it(tmp_path):
    path = write_recipe(tmp_path)
    with pytest.raises(InputError, match="stage `fine_tune` needs `validate` first"):
        execute(Run(load_config(path)), "fine_tune")
    with pytest.raises(InputError, match="method `mix` has no stage `typicality`"):
        execute(Run(load_config(path, ["method=mix"])), "typicality")


@pytest.mark.long
def test_a_stage_done_once_more_is_done_and_later_stages_follow(tmp_path):
    path = write_recipe(tmp_path)
    experiment = Run(load_config(path))
    execute(experiment)
    folder = experiment.folder
    before = {path.name: path.stat().st_mtime_ns for path in folder.path.glob("checkpoints/*")}
    first = results(experiment)

    # Checking the data, or writing the report, once more leaves the rest as it is.
    for leaf in ("validate", "report"):
        assert "evaluate" in execute(Run(load_config(path)), leaf)["stages"]

    stages = execute(Run(load_config(path)), "fine_tune")["stages"]
    after = {path.name: path.stat().st_mtime_ns for path in folder.path.glob("checkpoints/*")}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"0-books.keras", "1-films.keras", "2-tools.keras"}
    assert list(stages) == ["validate", "typicality", "meta_fine_tune", "fine_tune"]
    execute(Run(load_config(path)))
    np.testing.assert_allclose(first[1], results(experiment)[1], atol=1e-6)


def test_refused_data_leave_nothing_and_leftovers_of_killed_writes_go(tmp_path):
    path = write_recipe(tmp_path)
    data = tmp_path / "texts.csv"
    whole = data.read_text()
    data.write_text(whole + "t99,,good,books\n")
    with pytest.raises(InputError, match=r"texts\.csv"):
        execute(Run(load_config(path)), "validate")
    assert not (tmp_path / "runs").exists()

    data.write_text(whole)
    experiment = Run(load_config(path))
    execute(experiment, "validate")
    leftover = experiment.folder.path / "checkpoints" / f"{files.TEMPORARY}1234-books.keras"
    leftover.mkdir(parents=True)
    execute(Run(load_config(path)), "validate")
    assert not leftover.exists()
    assert "domain" in (experiment.folder.path / "run.log").read_text()


@pytest.mark.long
def test_typicality_can_weight_the_evaluation_and_be_made_anew_every_epoch(tmp_path, monkeypatch):
    scored = []
    score = scoring.scores

    def recorded(*args):
        scored.append(score(*args))
        return scored[-1]

    monkeypatch.setattr(scoring, "scores", recorded)
    path = write_recipe(tmp_path)
    curves, small = {}, "meta_fine_tune.batch_size=8"  # more steps, so that an epoch tells
    halves = "data.columns.weight=weight"
    for name, overrides in {
        "plain": [halves],
        "weighted": [halves, "mft.weighted_evaluation=true"],
        "refreshed": ["mft.refresh_typicality=true"],
    }.items():
        experiment = Run(load_config(path, [f"name={name}", small, *overrides]))
        for stage in ("validate", "typicality", "meta_fine_tune"):
            stages = execute(experiment, stage)["stages"]
        curves[name] = stages["meta_fine_tune"]["history"]
    first = {name: curve[0] for name, curve in curves.items()}
    # Half of each text's loss counts; training is the same.
    assert first["weighted"]["dev_loss"] == pytest.approx(first["plain"]["dev_loss"] / 2, rel=1e-5)
    assert first["weighted"]["loss"] == pytest.approx(first["plain"]["loss"], rel=1e-5)
    # By the stage `typicality`, then before each of two epochs, of which the first begins with the
    # same encoder.
    assert len(scored) == 3
    np.testing.assert_allclose(scored[1]["train"], scored[0]["train"], atol=1e-6)
    assert np.abs(scored[2]["train"] - scored[1]["train"]).max() > 2e-6


@pytest.mark.long
def test_a_domain_keeps_the_meta_learner_where_fine_tuning_does_not_help(tmp_path, monkeypatch):
    path = write_recipe(tmp_path, method="mix_then_fine_tune")
    settings = ["fine_tune.select_best_on_dev=true"]
    untrained = Run(load_config(path, [*settings, "fine_tune.epochs=0", "name=untrained"]))
    summary = execute(untrained)
    assert summary["stages"]["fine_tune"]["keep_meta_learner"] == list(DOMAINS)
    figures = summary["metrics"]["meta_learner"]["dev"]["domains"]
    for code, domain in enumerate(DOMAINS):
        accuracy = figures[domain]["accuracy"]
        found = untrained.folder.facts(f"fine_tune-{code}")["dev_accuracy"]
        assert found == {"meta_learner": accuracy, "fine_tuned": accuracy}
    assert "does as well without" in (untrained.folder.path / "report.md").read_text()

    accuracies = [
        {"meta_learner": 0.5, "fine_tuned": 0.6},
        {"meta_learner": 0.5, "fine_tuned": 0.5},
        {},  # no development texts
    ]
    monkeypatch.setattr(training, "_dev_accuracies", lambda run, a, b, code: accuracies[code])
    experiment = Run(load_config(path, settings))
    stage = execute(experiment)["stages"]["fine_tune"]
    assert stage["keep_meta_learner"] == [DOMAINS[1]]
    run = experiment
    learner, *own = (run.load(name).get_weights() for name in run.models())
    same = [all(map(np.array_equal, learner, weights)) for weights in own]
    assert same == [False, True, False]


def test_steps_in_parts_are_refused_where_keras_cannot_do_them(tmp_path, monkeypatch):
    monkeypatch.setattr("easymft.devices.distribution.Distribution.replicas", 2)
    path = write_recipe(tmp_path)
    with pytest.raises(InputError, match=r"`fine_tune.gradient_accumulation_steps`: .*Received: 4"):
        execute(Run(load_config(path, ["fine_tune.gradient_accumulation_steps=4"])), "validate")


@pytest.mark.long
def test_models_need_not_be_kept_nor_every_epoch_be_looked_at(tmp_path):
    path = write_recipe(tmp_path, method="mix")
    # Three epochs: those of both phases.
    experiment = Run(load_config(path, ["keep_models=false", "meta_fine_tune.validation_freq=2"]))
    history = execute(experiment)["stages"]["meta_fine_tune"]["history"]
    assert ["dev_loss" in entry for entry in history] == [False, True, False]
    assert experiment.folder.metrics.exists()
    assert not (experiment.folder.path / "checkpoints").exists()
    execute(experiment)  # nothing left to do


@pytest.mark.long
def test_what_a_finished_run_is_asked_for_later_is_in_its_report(tmp_path, monkeypatch):
    recipe = write_recipe(tmp_path)
    experiment = Run(load_config(recipe))
    execute(experiment)
    report, figure = experiment.folder.path / "report.html", "Accuracy of a domain probe per layer"
    assert figure not in report.read_text()
    before = typicality.read_scores(experiment.folder.typicality)
    assert list(before) == ["train"]

    stages, run_stage = [], execution.run_stage

    def dying_once(run, name):
        stages.append(name)
        if stages == ["diagnose", "report"]:
            raise KeyboardInterrupt
        run_stage(run, name)

    monkeypatch.setattr(execution, "run_stage", dying_once)
    with pytest.raises(KeyboardInterrupt):
        execute(Run(load_config(recipe, ["diagnose=true"])))
    execute(Run(load_config(recipe, ["diagnose=true"])))
    assert stages == ["diagnose", "report", "report"]
    assert figure in report.read_text()
    # Typicalities of held-out texts are asked for by `diagnose` alone.
    after = typicality.read_scores(experiment.folder.typicality)
    assert {name: len(scores) for name, scores in after.items()} == {
        name: len(rows) for name, rows in experiment.data.splits.items()
    }
    np.testing.assert_allclose(after["train"], before["train"], atol=1e-6)
    diagnostics = json.loads(experiment.folder.diagnostics.read_text())
    assert diagnostics["typicality_and_errors"]
    execute(Run(load_config(recipe, ["diagnose=true"])))
    assert stages == ["diagnose", "report", "report"]


def test_restart_keeps_the_old_run(tmp_path):
    experiment = Run(load_config(write_recipe(tmp_path)))
    execute(experiment, "validate")
    for number in (1, 2):
        kept = experiment.folder.move_aside()
        assert kept.name == f"seed-1.old-{number}"
        execute(experiment, "validate")
    assert Run(load_config(tmp_path / "tiny.json", ["seed=9"])).folder.move_aside() is None


def test_the_best_epoch_is_one_that_dev_was_looked_at(tmp_path):
    settings = ["meta_fine_tune.select_best_on_dev=true", "meta_fine_tune.validation_freq=0"]
    with pytest.raises(InputError, match="chooses among the epochs that `validation_freq`"):
        execute(Run(load_config(write_recipe(tmp_path), settings)), "validate")
