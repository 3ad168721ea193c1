"""The command line, in a process of its own as users meet it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import easymft as package
from easymft.runs import STAGE_NAMES
from tests.small_run import LABELS, texts, write_recipe

APP_ZOO = Path(__file__).parents[1] / "app_zoo"


def easymft(*arguments, cwd=None):
    command = [sys.executable, "-m", "easymft.run", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


def test_help_teaches_and_imports_no_tensorflow():
    code = "import sys, easymft.run; print({'tensorflow', 'keras'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("start", ["easymft.run", "easymft"])
def test_help_teaches_however_it_is_started(start):
    done = subprocess.run([sys.executable, "-m", start, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "python -m easymft.run --config amazon" in done.stdout
    assert "--dry_run" in done.stdout


def test_the_version_says_what_a_report_of_a_fault_needs():
    shown = easymft("--version").stdout
    assert re.fullmatch(
        rf"easymft {re.escape(package.__version__)} \(Python 3\.\d+\.\d+, .*keras \d.*\)\n", shown
    )


@pytest.mark.parametrize("mode", [["--mode", "schema"], ["--help"], ["--mode", "list"]])
def test_whoever_reads_the_output_may_leave(mode):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "easymft.run", *mode]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_stage_names_of_the_command_line_are_those_of_a_full_run():
    from easymft.config import Config
    from easymft.runs.run import Run
    from easymft.runs.stages import STAGES, stage

    asked = {"adapt": {"epochs": 1}, "answers": {"folds": 2}}
    every = Config.model_validate({"name": "x", "method": "mft_self", **asked})
    assert tuple(Run(every).stages()) == tuple(STAGES) == STAGE_NAMES
    assert all(stage(name).__name__ == name for name in STAGES)


def test_list_shows_every_recipe_with_its_description(tmp_path):
    lines = easymft("--mode", "list", cwd=tmp_path).stdout.splitlines()
    assert len(lines) == len(list(APP_ZOO.glob("*.json")))
    assert any(line.startswith("mnli ") and "five genres" in line for line in lines)


@pytest.mark.slow
def test_a_run_ends_with_exports_that_predict(tmp_path):
    recipe = str(write_recipe(tmp_path, export=True))
    result = easymft("--config", recipe)
    assert result.returncode == 0, result.stderr
    assert "Run folder: " in result.stdout
    output = tmp_path / "out.jsonl"
    source = str(tmp_path / "texts.csv")
    result = easymft(
        "--config", recipe, "--mode", "predict", "--input", source, "--output", str(output)
    )
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["id"] for row in rows] == [row["id"] for row in texts()]
    assert {row["label"] for row in rows} <= set(LABELS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "easymft: `--config`: is missing"),
        (["--config", "absent.json"], "absent.json: cannot be read"),
        (["--config", "amason"], "cannot be read (No such file or directory); did you mean 'am"),
        (["--config", "r.json", "--set", "mft.alfa=1"], "`mft.alfa`: unknown key; did you mean"),
        (["--config", "r.json", "--set", "mft.alpha"], "`--set`: must look like"),
        (["--config", "r.json", "--seed", "x"], "--seed"),
        (["--config", "r.json", "--mode", "trian"], "--mode"),
        (["--config", "r.json", "--colour", "red"], "colour"),
        (["--config", "r.json", "--mode", "predict", "--dry_run"], "trains nothing that could be"),
        (["--config", "r.json", "extra"], "unexpected argument 'extra'"),
    ],
)
def test_bad_command_lines_are_one_message_and_exit_code_2(tmp_path, arguments, expected):
    (tmp_path / "r.json").write_text("{}")
    result = easymft(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == [tmp_path / "r.json"]


@pytest.mark.long
def test_render_prints_a_complete_recipe_that_renders_to_itself(tmp_path):
    (tmp_path / "short.json").write_text('{"seed": 3, "mft": {"variant": "easytransfer"}}')
    complete = easymft("--config", "short.json", "--mode", "render", cwd=tmp_path).stdout
    values = json.loads(complete)
    assert values["name"] == "short"
    assert values["mft"]["corruption"] == "shuffle"
    assert values["backbone"]["max_length"] == 128
    (tmp_path / "complete.json").write_text(complete)
    again = easymft("--config", "complete.json", "--mode", "render", cwd=tmp_path).stdout
    assert again == complete


@pytest.mark.long
def test_schema_is_json_and_knows_the_sections():
    schema = json.loads(easymft("--mode", "schema").stdout)
    assert {"data", "mft", "backbone", "include"} <= set(schema["properties"])
