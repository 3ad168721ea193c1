import contextlib
import gzip
import json
import os
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from easymft.errors import InputError
from easymft.export.prediction_input import Wanted, _windows, open_texts

COLUMNS = {"text": "text", "text_pair": "text_pair", "domain": "domain", "id": "id"}
WANTED = Wanted(COLUMNS, ["text"])
ROWS = [{"text": "a dull book", "domain": "books"}, {"text": "a, tool", "domain": "tools"}]
CSV = 'text,domain\na dull book,books\n"a, tool",tools\n'


def read(source, form="auto", wanted=WANTED, size=100):
    with open_texts(str(source), form, wanted) as texts:
        rows = [row for window in texts.windows(size) for row in window]
        assert texts.total in (None, len(rows))
        return rows


@contextlib.contextmanager
def fifo(path, content):
    """A named pipe that another thread writes into."""
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    yield path
    writer.join()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.txt", CSV),
        ("a.TXT", "text\tdomain\na dull book\tbooks\na, tool\ttools\n"),
        ("a.tab", "text\tdomain\na dull book\tbooks\na, tool\ttools\n"),
        ("a.json", json.dumps(ROWS, indent=2)),
        ("a.json", "".join(json.dumps(row) + "\n" for row in ROWS)),
        ("a.ndjson", "".join(json.dumps(row) + "\n" for row in ROWS)),
        ("sep.csv", "sep=;\r\n" + CSV.replace(",", ";", 1).replace("k,", "k;").replace('",', '";')),
    ],
)
def test_files_are_read_as_in_training(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read(tmp_path / name) == ROWS


@pytest.mark.parametrize(("name", "form"), [("a", "csv"), ("a.dat", "csv"), ("a.jsonl", "csv")])
def test_the_format_can_be_said(tmp_path, name, form):
    (tmp_path / name).write_text(CSV)
    assert read(tmp_path / name, form) == ROWS


def test_a_format_that_nothing_tells_is_asked_for(tmp_path):
    (tmp_path / "a.dat").write_text(CSV)
    with pytest.raises(InputError, match=r"a\.dat: `--input_format`: cannot tell the format"):
        read(tmp_path / "a.dat")


def test_lines_of_a_file(tmp_path):
    (tmp_path / "a.txt").write_text("good\n\nbad, text")
    assert read(tmp_path / "a.txt", "lines", size=1) == [
        {"text": "good"},
        {"text": ""},
        {"text": "bad, text"},
    ]
    with open_texts(str(tmp_path / "a.txt"), "lines", WANTED) as texts:
        assert texts.total == 3


def test_lines_of_pairs(tmp_path):
    pair = Wanted(COLUMNS, ["text", "text_pair"])
    (tmp_path / "a").write_text("good\tbad\n\t\n")
    expected = [{"text": "good", "text_pair": "bad"}, {"text": "", "text_pair": ""}]
    assert read(tmp_path / "a", "lines", pair) == expected
    (tmp_path / "a").write_text("good\tbad\ngood\n")
    with pytest.raises(InputError, match=r"a:2: must hold two texts with a tab"):
        read(tmp_path / "a", "lines", pair)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pipe", CSV.encode()),
        ("pipe.csv", CSV.encode()),
        ("pipe.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("pipe", gzip.compress(CSV.encode(), mtime=0)),
        ("pipe", json.dumps(ROWS).encode()),
        ("pipe", "".join(json.dumps(row) + "\n" for row in ROWS).encode()),
    ],
)
def test_pipes_are_read_by_name_or_beginning(tmp_path, name, content):
    with fifo(tmp_path / name, content) as pipe:
        assert read(pipe) == ROWS


def test_a_pipe_of_parquet(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    with fifo(tmp_path / "pipe", (tmp_path / "a.parquet").read_bytes()) as pipe:
        assert read(pipe) == ROWS


def test_a_table_that_lacks_the_column_is_labelled_with_a_warning(tmp_path, caplog):
    with fifo(tmp_path / "pipe", b"body,topic\ngood,x\nbad,y\n") as pipe:
        assert len(read(pipe)) == 3
    assert "looks like a table, but its first line lacks the column 'text'" in caplog.text
    with (
        fifo(tmp_path / "pipe-2", b"body,topic\ngood,x\nbad,y\n") as pipe,
        pytest.raises(InputError, match=r"pipe-2:1: .*no column 'text'; columns found: 'body'"),
    ):
        read(pipe, "csv")


def test_optional_columns_are_judged_over_all_rows(tmp_path):
    rows = [{"text": "a bright book"}, *ROWS]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read(tmp_path / "a.jsonl") == [{"text": "a bright book", "domain": ""}, *ROWS]


def test_quotes_in_a_tsv_take_no_row(tmp_path):
    rows = [f"a dull book {number}\tbooks" for number in range(10)]
    rows += ['"quoted start\tbooks', "plain\tbooks", 'an end "\tbooks', "last\tbooks"]
    (tmp_path / "a.tsv").write_text("\n".join(["text\tdomain", *rows]) + "\n")
    found = read(tmp_path / "a.tsv")
    assert [row["text"] for row in found] == [row.split("\t")[0] for row in rows]
    assert {row["domain"] for row in found} == {"books"}


def test_domains_of_any_type_have_one_name(tmp_path):
    columns = {
        "int": pa.array([1, 2], pa.int64()),
        "float": pa.array([1.0, 2.0], pa.float32()),
        "text": pa.array(["1", " 2.0"]),
        "codes": pa.array(["1", "2"]).dictionary_encode(),
    }
    for name, values in columns.items():
        table = pa.table({"text": ["good", "bad"], "domain": values})
        pq.write_table(table, tmp_path / f"{name}.parquet")
        assert [row["domain"] for row in read(tmp_path / f"{name}.parquet")] == ["1", "2"]
    (tmp_path / "a.jsonl").write_text(
        '{"text": "a", "domain": true}\n{"text": "a", "domain": 1}\n'
        '{"text": "a", "domain": null}\n{"text": "a", "domain": 1.0}\n'
    )
    found = [row["domain"] for row in read(tmp_path / "a.jsonl")]
    assert found == ["true", "1", "", "1"]


def test_parts_of_one_table(tmp_path):
    folder = tmp_path / "parts"
    for domain, row in zip(("books", "tools"), ROWS, strict=True):
        (folder / f"domain={domain}").mkdir(parents=True)
        pq.write_table(pa.table({"text": [row["text"]]}), folder / f"domain={domain}/0.parquet")
    pq.write_table(pa.table({"text": ["more"], "id": ["7"]}), folder / "1.parquet")
    expected = [
        {"text": "more", "id": "7", "domain": ""},
        *({**row, "id": ""} for row in ROWS),
    ]
    assert read(folder) == expected
    assert read(tmp_path / "part*") == expected


def test_a_bad_row_is_seen_before_the_first_is_given(tmp_path):
    (tmp_path / "a.csv").write_text(CSV * 1 + "good,books,more\n")
    with (
        pytest.raises(InputError, match=r"a\.csv:4: 3 cells where the header has 2"),
        open_texts(str(tmp_path / "a.csv"), "auto", WANTED),
    ):
        pytest.fail("the block ran")


def test_what_was_read_is_said(tmp_path, caplog):
    (tmp_path / "a.csv").write_text(CSV)
    with caplog.at_level("INFO", "easymft"):
        read(tmp_path / "a.csv")
    assert f"{tmp_path}/a.csv: 2 rows on 3 lines" in caplog.messages


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing.csv", r"`--input`: no file found. Received: '.*nothing\.csv'"),
        ("*.csv", r"`--input`: no file found"),
        (".", "is a folder without texts"),
    ],
)
def test_what_is_not_there_is_said(tmp_path, source, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path / source)
    with pytest.raises(InputError, match=r"nothing\.txt: cannot be read \(No such file"):
        read(tmp_path / "nothing.txt", "lines")


def test_long_texts_make_smaller_windows():
    rows = [{"text": "x" * 6_000_000}] * 5 + [{"text": "y"}] * 5
    assert [len(window) for window in _windows(rows, 4)] == [3, 4, 3]
