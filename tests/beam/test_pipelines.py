"""Beam pipelines over several files, on Beam's local runner."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("apache_beam", reason="needs easymft[beam]")

from easymft.beam.__main__ import main
from easymft.beam.files import named
from easymft.export import export_run
from easymft.export.predict import predict_file
from easymft.in_memory.typicality_scores import typicality_scores
from easymft.models import TextClassifier, load_backbone, load_preprocessor
from tests.models.hugging_face import write_bert
from tests.small_run import DOMAINS, LABELS, texts


@pytest.fixture
def rows():
    return texts()


@pytest.fixture
def bert(tmp_path):
    write_bert(tmp_path / "bert")
    return tmp_path / "bert"


def read(folder, pattern):
    shards = sorted(folder.glob(pattern))
    assert shards
    return pa.concat_tables(pq.read_table(shard) for shard in shards).to_pylist()


def test_predictions_of_many_files_are_those_of_one(tmp_path, rows, bert):
    model = TextClassifier(load_backbone(str(bert)), len(LABELS), len(DOMAINS))
    preprocessor = load_preprocessor(str(bert), 12)
    export = tmp_path / "export"
    export_run({"meta-learner": model}, preprocessor, LABELS, DOMAINS, export)
    parts = [rows[start::3] for start in range(3)]
    for number, part in enumerate(parts):
        table = pa.Table.from_pylist([{"body": r["text"], **r} for r in part])
        pq.write_table(table.drop_columns(["text", "label"]), tmp_path / f"in-{number}.parquet")
    pq.write_table(pa.Table.from_pylist(rows).drop_columns("label"), tmp_path / "all.parquet")

    arguments = ["--export", str(export), "--column", "text=body", "--batch_size", "7"]
    files = ["--input", f"{tmp_path}/in-*.parquet", "--output", f"{tmp_path}/out.parquet"]
    assert main(["predict", *files, *arguments]) == 0
    found = {row["id"]: row for row in read(tmp_path, "out-*.parquet")}

    predict_file(export, tmp_path / "all.parquet", tmp_path / "expected.parquet")
    expected = pq.read_table(tmp_path / "expected.parquet").to_pylist()
    assert len(found) == len(expected) == len(rows)
    for row in expected:
        assert found[row["id"]]["label"] == row["label"]
        assert found[row["id"]]["text"] == row["text"]
        assert found[row["id"]]["score"] == pytest.approx(row["score"], abs=1e-6)


@pytest.mark.parametrize("variant", ["paper", "easytransfer"])
def test_typicality_of_many_files_is_that_of_one_corpus(tmp_path, rows, bert, variant):
    for number in range(3):
        lines = [json.dumps(row) for row in rows[number::3]]
        (tmp_path / f"in-{number}.jsonl").write_text("\n".join(lines))
    recipe = tmp_path / "recipe.json"
    backbone = {"preset": str(bert), "max_length": 12}
    recipe.write_text(json.dumps({"mft": {"variant": variant}, "backbone": backbone}))
    files = ["--input", f"{tmp_path}/in-*.jsonl", "--output", f"{tmp_path}/out.parquet"]
    assert main(["typicality", *files, "--config", str(recipe), "--batch_size", "7"]) == 0
    found = {row["id"]: row["typicality"] for row in read(tmp_path, "out-*.parquet")}

    expected = typicality_scores(
        *([row[name] for row in rows] for name in ("text", "label", "domain")),
        preset=str(bert),
        max_length=12,
        variant=variant,
    )
    assert np.ptp(expected) > 0
    np.testing.assert_allclose([found[row["id"]] for row in rows], expected, atol=1e-5)


def test_labels_and_domains_are_named_as_everywhere():
    for value in (3, 3.0, "3", np.float32(3)):
        assert named({"domain": value}, "domain") == "3"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "--input", "a.parquet", "--output", "b.parquet"], "`--export`: is missing"),
        (["typicality", "--input", "a.csv", "--output", "b.parquet"], "`--config`: is missing"),
    ],
)
def test_what_is_missing_is_said(arguments, words, capsys):
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ('{"text": "good", "domain": "books"}', 2, "`label`: is empty; every text needs one"),
        ("{text", 2, "a line is no JSON"),
        (None, 1, "No files found"),
    ],
)
def test_faults_in_files_are_said(tmp_path, bert, capsys, line, code, words):
    if line is not None:
        (tmp_path / "in.jsonl").write_text(line)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"backbone": {"preset": str(bert), "max_length": 12}}))
    files = ["--input", f"{tmp_path}/in*.jsonl", "--output", f"{tmp_path}/out.jsonl"]
    assert main(["typicality", *files, "--config", str(recipe)]) == code
    assert words in capsys.readouterr().err.splitlines()[-1]
