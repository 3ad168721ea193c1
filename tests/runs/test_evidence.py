"""What a sweep keeps of its runs, read back: whole, or refused with the file's name."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.report.sweep import PREDICTIONS
from easymft.runs.evidence import (
    RESULTS,
    RunEvidence,
    read_evidence,
    recompute_tables,
    write_evidence,
)

SWEEP = {"methods": ["mix", "mft"], "seeds": [1], "compare_with": ["mix"]}


def run(method, predicted):
    """One run on the texts a0 ... of one domain, half of them `bad`."""
    named = {"variation": "all", "method": method, "seed": 1, "split": "test"}
    row = {**dict.fromkeys(RESULTS.names), **named, "is_method": True}
    answers = [
        {**named, "id": f"a{i}", "domain": "a", "predicted": answer, "probability": 0.75}
        | {"label": "bad" if i % 2 else "good"}
        for i, answer in enumerate(predicted)
    ]
    return RunEvidence([row], pa.Table.from_pylist(answers, PREDICTIONS))


@pytest.fixture
def folder(tmp_path):
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"name": "both", "sweep": SWEEP}))
    runs = [run("mix", ["good"] * 4), run("mft", ["good", "bad"] * 2)]
    here = [f"output_dir={tmp_path}", f"sweep.results={tmp_path}"]
    write_evidence(tmp_path / "kept", runs, load_config(recipe, here))
    return tmp_path / "kept"


def test_what_is_written_is_read(folder):
    found = read_evidence(folder)
    assert list(found) == [("all", "mix", 1), ("all", "mft", 1)]
    expected = run("mft", ["good", "bad"] * 2)
    assert found["all", "mft", 1].results == expected.results
    assert found["all", "mft", 1].predictions.equals(expected.predictions)
    # No name of a folder of this machine goes with it.
    assert str(folder.parent) not in "".join(
        path.read_bytes().decode(errors="replace") for path in folder.iterdir()
    )


def test_tables_are_made_again_from_the_files_alone(folder):
    text = recompute_tables(folder)
    # mix takes every text for good: 2 of 4; macro-F1 (2/3 + 0) / 2.
    assert "| BERT \\(Mix\\) | 50.0 | 50.0 | 1 |" in text
    assert "| BERT \\(Mix\\) | 50.0 | 33.3 |" in text
    assert "| MFT \\(Full\\) | 100.0 | 100.0 | 1 |" in text
    # 4 texts, 2 of them gained.
    assert "| MFT \\(Full\\) | \\+50.0 \\(0.0 to \\+100.0\\) |" in text.replace("\\+0.0", "0.0")


@pytest.mark.long
def test_the_command_prints_them_without_training(folder):
    command = [sys.executable, "-m", "easymft.run", "--mode", "tables", "--input", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == recompute_tables(folder)
    (folder / "results.parquet").unlink()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "results.parquet: is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_of_which_only_one_file_tells_is_left_out(folder):
    """A sweep killed between its two writes goes on with the run done once more, not with half."""
    path = folder / "results.parquet"
    pq.write_table(pq.read_table(path).slice(0, 1), path)
    assert list(read_evidence(folder)) == [("all", "mix", 1)]


def change(path, **columns):
    table = pq.read_table(path)
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, values(table[name]))
    pq.write_table(table, path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "is missing; name a folder that a sweep wrote"),
        (lambda path: path.write_bytes(b"PAR1 and no more"), "is damaged, or not what a sweep"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "is damaged, or not what a"),
        (
            lambda path: pq.write_table(pq.read_table(path).drop_columns("label"), path),
            "is damaged, or not what a sweep writes .*label",
        ),
        (
            lambda path: change(path, seed=lambda old: pa.array(["one"] * len(old))),
            "is damaged, or not what a sweep writes",
        ),
        (
            lambda path: change(path, id=lambda old: pa.nulls(len(old), pa.string())),
            "rows without a run or an id",
        ),
        (
            lambda path: change(path, id=lambda old: pa.repeat("a0", len(old))),
            "a text twice in one run",
        ),
    ],
)
def test_damage_is_named(folder, spoil, message):
    path = folder / "predictions.parquet"
    spoil(path)
    with pytest.raises(InputError, match=message) as error:
        read_evidence(folder)
    assert error.value.file == path


def test_a_comparison_has_tables_too_with_no_method_to_compare_with(folder):
    (folder / "config.json").write_text("{}")
    text = recompute_tables(folder)
    assert "| MFT \\(Full\\) | 100.0 | 100.0 | 1 |" in text
    assert "minus" not in text
