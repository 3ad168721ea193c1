import os

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from easymft.errors import InputError
from easymft.export import prediction_output
from easymft.export.prediction_output import open_output
from easymft.files import staged


def columns(start, count):
    return {
        "text": [f"text {number}" for number in range(start, start + count)],
        "score": [0.5] * count,
    }


def test_a_row_group_is_large_however_few_rows_come_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_output, "GROUP_ROWS", 1000)
    with open_output(str(tmp_path / "a.parquet")) as write:
        for start in range(0, 2496, 32):
            write(columns(start, 32))
    metadata = pq.read_metadata(tmp_path / "a.parquet")
    groups = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    assert groups == [1024, 1024, 448]
    found = pq.read_table(tmp_path / "a.parquet")["text"].to_pylist()
    assert found == columns(0, 2496)["text"]


def test_long_texts_are_written_before_there_are_many(tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_output, "GROUP_BYTES", 10_000)
    with open_output(str(tmp_path / "a.parquet")) as write:
        for _ in range(4):
            write({"text": ["x" * 6000]})
    assert pq.read_metadata(tmp_path / "a.parquet").num_row_groups == 2


@pytest.mark.parametrize("form", ["csv", "tsv"])
def test_tables_have_one_header(tmp_path, monkeypatch, form):
    monkeypatch.setattr(prediction_output, "GROUP_ROWS", 10)
    path = tmp_path / f"a.{form}"
    with open_output(str(path)) as write:
        for start in range(0, 48, 8):
            write(columns(start, 8))
    delimiter = "\t" if form == "tsv" else ","
    parsing = pyarrow.csv.ParseOptions(delimiter=delimiter)
    assert pyarrow.csv.read_csv(path, parse_options=parsing).to_pydict() == columns(0, 48)


def test_what_a_killed_process_left_goes(tmp_path):
    path = tmp_path / "labels.jsonl"
    with staged(path) as left:
        left.write_text("half")
    path.unlink()
    left.write_text("half")  # as SIGKILL leaves it
    (tmp_path / ".tmp-12345678-my-labels.jsonl").touch()  # of another output
    with open_output(str(path)) as write:
        assert not left.exists()
        write({"text": ["whole"]})
    assert sorted(os.listdir(tmp_path)) == [".tmp-12345678-my-labels.jsonl", "labels.jsonl"]
    assert path.read_text() == '{"text": "whole"}\n'


def test_another_process_at_work_on_the_same_file_is_left_alone(tmp_path):
    path = str(tmp_path / "labels.jsonl")
    with open_output(path) as one:
        one({"text": ["one"]})
        with open_output(path) as other:
            other({"text": ["other"]})
    assert (tmp_path / "labels.jsonl").read_text() == '{"text": "one"}\n'


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    for path, message in (
        ("/proc/a.csv", "`--output`: cannot be written"),
        (f"{tmp_path}/file/a.csv", "`--output`: cannot be written"),
        (f"{tmp_path}/folder.csv", "`--output`: is a folder; name a file"),
        (f"{tmp_path}/a.xlsx", r"must end in one of .*Received: a\.xlsx"),
    ):
        with pytest.raises(InputError, match=message), open_output(path):
            pytest.fail("the block ran")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.csv"]


def test_half_a_surrogate_pair_is_no_text_that_a_file_takes(tmp_path):
    for form in ("parquet", "jsonl"):
        with open_output(str(tmp_path / f"a.{form}")) as write:
            write({"text": ["a \ud800 b"]})
    assert pq.read_table(tmp_path / "a.parquet") == pa.table({"text": ["a ? b"]})
    assert (tmp_path / "a.jsonl").read_text() == '{"text": "a ? b"}\n'
