"""One reader for every format: optional columns, folders that name columns, JSON of any layout."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from easymft.data.files import json_rows
from easymft.data.files.reader import column_names, format_of, read_file
from easymft.data.files.row_source import RowSource
from easymft.errors import InputError


def source_of(path, columns=("text", "domain"), **rest):
    def fault(message, line):
        raise InputError(message, file=path, line=line)

    return RowSource(path, {name: name for name in columns}, fault, **rest)


def read(path, columns=("text", "domain"), **rest):
    return [row for _, row in read_file(source_of(path, columns, **rest), format_of(path))]


RECORDS = [{"text": "a"}, {"text": "b", "domain": "d"}, {"text": "c", "domain": None}]
LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINES),
        ("a.ndjson", LINES),
        ("a.JSON", LINES),
        ("a.json", json.dumps(RECORDS)),
        ("a.json", json.dumps(RECORDS, indent=2) + "\n"),
        ("a.json.gz", gzip.compress(json.dumps(RECORDS, indent=2).encode(), mtime=0)),
        ("a.json", "\ufeff \n" + json.dumps(RECORDS)),
    ],
)
def test_a_key_that_some_objects_lack_is_judged_by_all_of_them(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert column_names(source_of(path, ()), "jsonl") == ["text", "domain"]
    assert [row["domain"] for row in read(path, optional={"domain"})] == [None, "d", None]
    with pytest.raises(InputError, match=r":1: no key 'domain'; keys found: 'text'"):
        read(path)


def test_an_array_is_read_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr(json_rows, "CHUNK_BYTES", 7)
    path = tmp_path / "a.json"
    rows = [{"text": "x" * n, "domain": '],"\\'} for n in range(30)]
    for indent in (None, 1):
        path.write_text(json.dumps(rows, indent=indent))
        assert read(path) == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"text": "a", "domain": "b"}, {"text": ', ":2: row 2 of the array is not valid JSON"),
        ('[{"text": "a", "domain": "b"}', ":1: row 1 .*the array ends in the middle of it"),
        ('[{"text": "a", "domain": "b"} {}]', ":1: row 1 of the array"),
        ('[{"text": "a", "domain": "b"}, 5]', ":2: must be a JSON object. Received: a int"),
        ('[{"text": "a", "domain": "b"}] x', "something stands behind the array"),
        ("[" * 100_000, ":1: row 1 of the array is not valid JSON .nested too deeply"),
        ('["a", "b"]\n["c", "d"]\n', ":1: must be a JSON object. Received: a list"),
        ('{\n "text": "a",\n "domain": "b"\n}\n', "goes on from line to line; write one object a"),
        (
            '{"text": {"0": "a"}, "domain": {"0": "b"}}',
            r'object of whole columns.*orient="records", lines=True',
        ),
    ],
)
def test_json_that_holds_no_rows_is_one_error(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read(path)


def test_of_keys_without_end_those_asked_for_are_found(tmp_path):
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({f"k{n}": 1}) for n in range(3_000)]
    path.write_text("\n".join([*lines, '{"domain": "d"}']))
    names = column_names(source_of(path, ["domain"]), "jsonl")
    assert len(names) == json_rows.MAX_KEYS + 1
    assert names[-1] == "domain"


def test_folders_that_name_a_column_fill_it(tmp_path):
    path = tmp_path / "t/label=1/domain=a%2Fb/part-0.csv"
    path.parent.mkdir(parents=True)
    path.write_text("text\nx\ny\n")
    assert column_names(source_of(path, ()), "csv") == ["text", "domain", "label"]
    assert read(path, ("label", "text", "domain")) == [
        {"label": "1", "text": "x", "domain": "a/b"},
        {"label": "1", "text": "y", "domain": "a/b"},
    ]
    # What stands in the file itself counts more than the name of a folder that it happens to be in.
    path.write_text("text,label\nx,2\n")
    assert read(path, ("text", "label")) == [{"text": "x", "label": "2"}]
    missing = tmp_path / "t/domain=__HIVE_DEFAULT_PARTITION__/part-0.csv"
    missing.parent.mkdir()
    missing.write_text("text\nx\n")
    assert read(missing) == [{"text": "x", "domain": None}]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_column_that_may_be_missing(tmp_path, name):
    path = tmp_path / name
    if name == "a.csv":
        path.write_text("text\nx\n")
    else:
        pq.write_table(pa.table({"text": ["x"]}), path)
    assert read(path, optional={"domain"}) == [{"text": "x", "domain": None}]
    with pytest.raises(InputError, match="no column 'domain'; columns found: 'text'"):
        read(path)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(("a.csv", "csv"), ("A.CSV.GZ", "csv"), ("a.txt", "csv"), ("a.tab", "tsv")),
        *(("a.tsv.gz", "tsv"), ("a.NDJSON", "jsonl"), ("part-0.c000.snappy.parquet", "parquet")),
    ],
)
def test_the_name_tells_the_format(tmp_path, name, form):
    assert format_of(tmp_path / name) == form
    with pytest.raises(InputError, match=r"x\.docx: cannot tell the format .*known: \.csv, \.tsv"):
        format_of(tmp_path / "x.docx")
