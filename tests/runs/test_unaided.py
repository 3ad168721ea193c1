"""Validation without TensorFlow: what it leaves is what the way with it leaves."""

import json
import subprocess
import sys

import pytest

from easymft import files
from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.runs.execution import execute
from easymft.runs.run import Run
from easymft.runs.unaided import unaided_run
from tests.small_run import write_recipe

# What is loaded when the process ends.
LOADED = (
    "import atexit, sys; from easymft.run import cli; names = 'tensorflow', 'keras', 'keras_hub';"
    "atexit.register(lambda: print('loaded', [n for n in names if n in sys.modules])); cli()"
)


def validate(recipe, *arguments):
    command = [sys.executable, "-c", LOADED, "--config", str(recipe), "--mode", "validate"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300)


def test_validation_starts_neither_keras_nor_tensorflow(tmp_path):
    done = validate(write_recipe(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "word pieces" in done.stderr
    assert done.stdout.splitlines()[-1] == "loaded []"
    folder = tmp_path / "runs/tiny/mft/seed-1"
    assert {path.name for path in folder.iterdir()} == {
        *("config.json", "versions.json", "run.log", "splits.json", "stages", "logs")
    }


def test_data_that_cannot_be_used_are_told_without_them_too(tmp_path):
    recipe = write_recipe(tmp_path)
    with open(tmp_path / "texts.csv", "a", encoding="utf-8") as file:
        file.write("t99,,bad,books,1\n")
    done = validate(recipe)
    assert done.returncode == 2
    assert "is empty" in done.stderr
    assert done.stdout.splitlines() == ["loaded []"]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["backbone.max_length=6", "method=mix_self", "data.split.few_shot.per_class=4"],
        ["method=tfidf", "data.columns.weight=weight", "seed=3"],
    ],
)
def test_it_leaves_what_the_way_with_tensorflow_leaves(tmp_path, settings):
    if "method=mix_self" in settings:
        settings = [*settings, "data.split.few_shot.rest=unlabeled"]
    recipe, left = write_recipe(tmp_path), []
    for name, make in (("with", Run), ("without", unaided_run)):
        run = make(load_config(recipe, [*settings, f"output_dir={tmp_path / name}"]))
        facts = dict(execute(run, "validate")["stages"]["validate"])
        assert facts.pop("seconds") >= 0
        names = sorted(path.name for path in run.folder.path.iterdir())
        left.append((facts, names, run.folder.splits.read_text(), run.folder.versions()))
    assert left[0] == left[1]
    assert left[0][0]["length_unit"] == "word pieces"


@pytest.mark.long
@pytest.mark.usefixtures("fast")
def test_a_run_goes_on_from_it_and_tells_its_machine(tmp_path):
    config = load_config(write_recipe(tmp_path), ["method=tfidf"])
    execute(unaided_run(config), "validate")
    assert "machine" not in Run(config).folder.versions()
    summary = execute(Run(config))
    assert list(summary["versions"])[:2] == ["python", "machine"]
    # Whoever validates once more does not lose it.
    execute(unaided_run(config), "validate")
    assert Run(config).folder.versions() == summary["versions"]


@pytest.mark.parametrize(
    "settings",
    [
        ["distribution.strategy=mirrored"],
        ["fine_tune.gradient_accumulation_steps=4"],
        ["mft.corruption_layers=[0]"],
        ["data.source=tfds:imdb_reviews"],
        ["data.source=packed"],
        ["backbone.preset=hf://someone/something"],
        ["backbone.preset=roberta_base_en"],
    ],
)
def test_what_tensorflow_has_to_be_asked_is_left_to_it(tmp_path, settings):
    assert unaided_run(load_config(write_recipe(tmp_path), settings)) is None


def test_several_workers_validate_together(tmp_path, monkeypatch):
    cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    config = load_config(write_recipe(tmp_path))
    assert unaided_run(config) is None
    one_device = load_config(write_recipe(tmp_path), ["distribution.strategy=one_device"])
    assert unaided_run(one_device) is not None


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("vocab.txt", "[UNK]\nthe\n"),  # no special tokens
        ("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nthe\n"),
        ("config.json", '{"model_type": "roberta"}'),
        ("tokenizer.json", '{"model": '),
    ],
)
def test_encoders_of_other_kinds_and_damaged_ones_are_left_to_keras_hub(tmp_path, file, content):
    recipe = write_recipe(tmp_path)
    files.write_text(tmp_path / "bert" / file, content)
    assert unaided_run(load_config(recipe)) is None


def test_an_encoder_that_does_not_reach_so_far_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="at most 16, the positions"):
        unaided_run(load_config(write_recipe(tmp_path), ["backbone.max_length=17"]))
