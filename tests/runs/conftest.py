"""A finished run whose domains have small parts, to which others are added."""

import csv
import shutil

import pytest

from easymft.config.loading import load_config
from easymft.runs.execution import execute
from easymft.runs.run import Run
from tests.small_run import texts, write_recipe

SETTINGS = ["precision=float32", "fine_tune.parts=lora", "fine_tune.adapters.learning_rate=0.05"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The folder of a recipe whose run is exported."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EASYMFT_CACHE_DIR", str(folder / "cache"))
        execute(Run(load_config(write_recipe(folder, export=True), SETTINGS)))
    return folder


@pytest.fixture
def run(finished, tmp_path, monkeypatch):
    """A copy of that run, in a folder of its own."""
    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(tmp_path / "cache"))
    shutil.copytree(finished / "runs", tmp_path / "runs")
    settings = [*SETTINGS, f"output_dir={tmp_path / 'runs'}"]
    return Run(load_config(finished / "tiny.json", settings))


def write_texts(path, rows=None, columns=("text", "label")):
    rows = rows or [{**row, "domain": "garden"} for row in texts()[:24]]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return str(path)
