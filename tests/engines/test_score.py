"""Many files, by engines: each file's answers are whole, and those of one process."""

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from easymft.config.loading import config_from_dict
from easymft.engines import parts as planning
from easymft.engines.parts import Part
from easymft.engines.score import ENGINES, label_files, typicality_of_files
from easymft.engines.tasks import Embeddings, Labels, Task
from easymft.errors import InputError
from easymft.export import export_run
from easymft.export.predict import COLUMNS, predict_file
from easymft.in_memory.typicality_scores import typicality_scores
from easymft.models import TextClassifier, load_backbone, load_preprocessor
from tests.models.hugging_face import write_bert
from tests.small_run import DOMAINS, LABELS, texts

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder") / "bert"
    write_bert(folder, num_layers=1)
    return folder


@pytest.fixture(scope="module")
def export(tmp_path_factory, bert):
    model = TextClassifier(load_backbone(str(bert)), len(LABELS), len(DOMAINS))
    random = np.random.default_rng(0)
    for weight in model.class_head.weights:
        weight.assign(random.normal(size=weight.shape))
    folder = tmp_path_factory.mktemp("exported") / "export"
    export_run({"meta-learner": model}, load_preprocessor(str(bert), 12), LABELS, DOMAINS, folder)
    return folder


@pytest.fixture
def config(bert):
    backbone = {"preset": str(bert), "max_length": 12}
    return config_from_dict({"name": "many", "backbone": backbone, "precision": "float32"})


@pytest.fixture
def files(tmp_path):
    """A folder of four files: 24 texts in each of three formats, and one that has no rows."""
    folder = tmp_path / "in"
    folder.mkdir()
    first, second, third = (texts()[start::3] for start in range(3))
    pq.write_table(_table(first), folder / "a.parquet")
    (folder / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in second))
    pq.write_table(_table(third), folder / "c.parquet")
    pq.write_table(_table(third).slice(0, 0), folder / "d.parquet")
    return folder


def _table(rows):
    return pa.Table.from_pylist(rows)


def answers(folder):
    """The tables of a folder of answers by the names of its files."""
    return {path.name: pq.read_table(path) for path in sorted(folder.glob("part-*.parquet"))}


def test_every_file_has_the_answers_that_it_has_alone(tmp_path, config, export, files):
    out = tmp_path / "out"
    assert label_files(export, config, f"{files}/*", str(out)) == 72
    found = answers(out)
    assert list(found) == [f"part-0000{number}.parquet" for number in range(3)]
    for name, table in zip(("a.parquet", "b.jsonl", "c.parquet"), found.values(), strict=True):
        predict_file(export, files / name, tmp_path / "alone.parquet")
        assert table.equals(pq.read_table(tmp_path / "alone.parquet"))

    # What is missing is done, and nothing else.
    before = (out / "part-00000.parquet").stat().st_mtime_ns
    (out / "part-00001.parquet").unlink()
    assert label_files(export, config, f"{files}/*", str(out)) == 24
    assert answers(out) == found
    assert (out / "part-00000.parquet").stat().st_mtime_ns == before


def test_answers_of_two_inputs_are_never_mixed(tmp_path, config, export, files):
    out = str(tmp_path / "out")
    label_files(export, config, f"{files}/a.parquet", out)
    with pytest.raises(InputError, match="`--output`: holds answers to another input"):
        label_files(export, config, f"{files}/*.parquet", out)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/own.txt").touch()
    with pytest.raises(InputError, match="`--output`: holds files already"):
        label_files(export, config, f"{files}/a.parquet", str(tmp_path / "other"))
    with pytest.raises(InputError, match="`--input`: no file found"):
        label_files(export, config, f"{files}/*.csv", str(tmp_path / "third"))


def test_a_faulty_row_is_named_and_leaves_nothing(tmp_path, config, export, files):
    (files / "b.jsonl").write_text('{"text": "good"}\n{"text": 3}\n')
    with pytest.raises(InputError, match=r"b\.jsonl:2: `text`: must be text\. Received: 3"):
        label_files(export, config, f"{files}/*", str(tmp_path / "out"))
    assert list(answers(tmp_path / "out")) == ["part-00000.parquet"]


def test_files_of_another_file_system(config, export, files, monkeypatch, tmp_path):
    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    for path in files.iterdir():
        memory.pipe(f"/many/in/{path.name}", path.read_bytes())
    assert label_files(export, config, "memory://many/in", "memory://many/out") == 72
    label_files(export, config, f"{files}/*", str(tmp_path / "out"))
    for name, table in answers(tmp_path / "out").items():
        with fsspec.open(f"memory://many/out/{name}") as file:
            assert pq.read_table(file).equals(table)
    memory.store.clear()


def test_typicality_is_that_of_one_corpus(tmp_path, config, files, bert):
    rows = [row for start in range(3) for row in texts()[start::3]]
    expected = typicality_scores(
        *([row[name] for row in rows] for name in ("text", "label", "domain")),
        preset=str(bert),
        max_length=12,
        precision="float32",
    )
    assert np.ptp(expected) > 0
    out = tmp_path / "out"
    # A run that was killed before the second pass goes on with what the first left.
    facts = {"backbone", "mft", "precision"}
    facts = {"task": "typicality", "recipe": config.model_dump(mode="json", include=facts)}
    first, *_ = planning.plan(f"{files}/*", str(out), facts)
    Embeddings(config).open()(first)
    before = Path(first.work).read_bytes()
    assert typicality_of_files(config, f"{files}/*", str(out)) == 72
    assert before
    found = pa.concat_tables(answers(out).values())
    assert found["id"].to_pylist() == [row["id"] for row in rows]
    np.testing.assert_allclose(found["typicality"].to_numpy(), expected, atol=1e-5)
    assert sorted(path.name for path in out.iterdir()) == ["_MANIFEST", *answers(out)]
    assert typicality_of_files(config, f"{files}/*", str(out)) == 0


@dataclass(frozen=True)
class Known(Labels):
    """Leaves the ids of the processes that do it."""

    folder: str = ""

    def open(self):
        Path(self.folder, str(os.getpid())).touch()
        return super().open()


def write_many(folder, count):
    folder.mkdir()
    for number in range(count):
        rows = [{**row, "id": f"{number}-{row['id']}"} for row in texts()]
        pq.write_table(_table(rows), folder / f"{number:02d}.parquet")


@pytest.mark.slow
@pytest.mark.engine
def test_a_worker_that_is_killed_costs_and_doubles_nothing(tmp_path, config, export):
    pytest.importorskip("ray", reason="needs easymft[ray]")
    write_many(tmp_path / "in", 12)
    (tmp_path / "pids").mkdir()
    label_files(export, config, str(tmp_path / "in"), str(tmp_path / "one"))
    parts = planning.plan(str(tmp_path / "in"), str(tmp_path / "two"), {})
    task: Task = Known(str(export), COLUMNS, folder=str(tmp_path / "pids"))
    done: list[Part] = []
    for part, count in ENGINES["ray"](task, parts, 2):
        done.append(part)
        assert count == 72
        if len(done) == 3:
            begun = [int(path.name) for path in (tmp_path / "pids").iterdir()]
            os.kill(begun[0], signal.SIGKILL)
    assert sorted(part.number for part in done) == list(range(12))
    # Two that began, and one in the place of the one that was killed.
    assert len(list((tmp_path / "pids").iterdir())) == 3
    assert answers(tmp_path / "two") == answers(tmp_path / "one")
    assert len(answers(tmp_path / "two")) == 12


@pytest.mark.slow
@pytest.mark.engine
def test_the_engines_agree_and_tell_faults_alike(tmp_path, config, files):
    pytest.importorskip("ray", reason="needs easymft[ray]")
    for engine in ENGINES:
        assert typicality_of_files(config, f"{files}/*", str(tmp_path / engine), engine, 2) == 72
    assert answers(tmp_path / "ray") == answers(tmp_path / "local")
    (files / "b.jsonl").write_text('{"text": "good", "label": "", "domain": "books"}\n')
    with pytest.raises(InputError, match=r"b\.jsonl:1: `label`: is empty"):
        typicality_of_files(config, f"{files}/*", str(tmp_path / "faulty"), "ray", 1)
