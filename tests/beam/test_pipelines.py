"""Beam pipelines over several files, on Beam's local runner."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("apache_beam", reason="needs easymft[beam]")

from easymft.beam.__main__ import main
from easymft.beam.files import required_name
from easymft.export import export_run
from easymft.export.predict import predict_file
from easymft.in_memory.typicality_scores import typicality_scores
from easymft.models import TextClassifier, load_backbone, load_preprocessor
from tests.models.hugging_face import write_bert
from tests.small_run import DOMAINS, LABELS, texts


@pytest.fixture
def rows():
    return texts()


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder") / "bert"
    write_bert(folder)
    return folder


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
        assert required_name({"domain": value}, "domain") == "3"


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


@pytest.fixture(scope="module")
def export(tmp_path_factory, bert):
    """A model for each domain, of which one is called by a number and one by a truth."""
    domains = ("7", "true")
    models = {
        name: TextClassifier(load_backbone(str(bert)), len(LABELS), len(domains))
        for name in ("meta-learner", *domains)
    }
    for seed, model in enumerate(models.values()):
        random = np.random.default_rng(seed)
        for weight in model.class_head.weights:
            weight.assign(random.normal(size=weight.shape))
    folder = tmp_path_factory.mktemp("exported") / "export"
    export_run(models, load_preprocessor(str(bert), 12), LABELS, domains, folder)
    return folder


def test_domains_of_any_type_find_their_model(tmp_path, export):
    rows = [
        {"id": str(number), "text": "the good cafe", "domain": domain}
        for number, domain in enumerate((7, 7.0, "7", " 7", True, "True", None, 8))
    ]
    (tmp_path / "in.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = ["--input", f"{tmp_path}/in.ndjson", "--output", f"{tmp_path}/out.parquet"]
    assert main(["predict", *files, "--export", str(export)]) == 0
    found = {row["id"]: row for row in read(tmp_path, "out-*.parquet")}
    seven, truth, general = (
        [found[str(number)]["score"] for number in numbers]
        for numbers in ((0, 1, 2, 3), (4, 5), (6, 7))
    )
    assert len(set(seven)) == len(set(truth)) == len(set(general)) == 1
    assert len({seven[0], truth[0], general[0]}) == 3
    domains = [found[str(number)]["domain"] for number in range(8)]
    assert domains == ["7", "7", "7", "7", "true", "true", None, "8"]


def test_hostile_texts_are_answered(tmp_path, export):
    texts = ["", "a\0b good", "good the " * 100_000, "half \ud800 a pair", "\ufeffgood"]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    for form in ("parquet", "jsonl"):
        files = ["--input", f"{tmp_path}/in.jsonl", "--output", f"{tmp_path}/out.{form}"]
        assert main(["predict", *files, "--export", str(export)]) == 0
    shards = [path.read_text("utf-8") for path in tmp_path.glob("out-*.jsonl")]
    lines = [line for shard in shards for line in shard.split("\n") if line]
    from_jsonl = sorted((json.loads(line) for line in lines), key=lambda row: row["text"])
    from_parquet = sorted(read(tmp_path, "out-*.parquet"), key=lambda row: row["text"])
    assert [row["text"] for row in from_jsonl] == [row["text"] for row in from_parquet]
    assert {row["text"] for row in from_jsonl} == {t.replace("\ud800", "?") for t in texts}
    scores = [row["score"] for row in from_parquet]
    np.testing.assert_allclose([row["score"] for row in from_jsonl], scores, atol=1e-6)


def test_a_named_column_goes_before_one_called_like_its_role(tmp_path, export):
    row = {"text": "wrong", "body": "the good cafe", "domain": "7", "shop": "true", "id": "a"}
    (tmp_path / "in.jsonl").write_text(json.dumps(row))
    files = ["--input", f"{tmp_path}/in.jsonl", "--output", f"{tmp_path}/out.parquet"]
    columns = ["--column", "text=body", "--column", "domain=shop"]
    assert main(["predict", *files, *columns, "--export", str(export)]) == 0
    (found,) = read(tmp_path, "out-*.parquet")
    assert (found["text"], found["domain"]) == ("the good cafe", "true")


def test_shards_of_an_earlier_pipeline_are_not_mixed_with_new_ones(tmp_path, export, capsys):
    (tmp_path / "in.jsonl").write_text('{"text": "good"}')
    (tmp_path / "out-00002-of-00003.parquet").touch()
    files = ["--input", f"{tmp_path}/in.jsonl", "--output", f"{tmp_path}/out.parquet"]
    assert main(["predict", *files, "--export", str(export)]) == 2
    assert "`--output`: holds shards of an earlier pipeline" in capsys.readouterr().err


def test_pairs_are_told_by_any_row(tmp_path, bert, capsys):
    rows = [
        {"text": "good", "text_pair": pair, "label": "a", "domain": "b"} for pair in (None, "bad")
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = tmp_path / "recipe.json"
    recipe.write_text(
        json.dumps(
            {
                "backbone": {"preset": str(bert), "max_length": 12},
                "data": {"columns": {"text_pair": "text_pair"}},
            }
        )
    )
    files = ["--input", f"{tmp_path}/in.jsonl", "--output", f"{tmp_path}/out.jsonl"]
    assert main(["typicality", *files, "--config", str(recipe)]) == 2
    assert "`text_pair`: must be text. Received: None" in capsys.readouterr().err


def test_the_recipe_names_the_columns(tmp_path, rows, bert):
    renamed = [{"body": row["text"], **row, "text": "wrong"} for row in rows]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in renamed))
    recipe = tmp_path / "recipe.json"
    settings = {"backbone": {"preset": str(bert), "max_length": 12}}
    recipe.write_text(json.dumps({**settings, "data": {"columns": {"text": "body"}}}))
    files = ["--input", f"{tmp_path}/in.jsonl", "--output", f"{tmp_path}/out.parquet"]
    assert main(["typicality", *files, "--config", str(recipe)]) == 0
    found = {row["id"]: row["text"] for row in read(tmp_path, "out-*.parquet")}
    assert found == {row["id"]: row["text"] for row in rows}
