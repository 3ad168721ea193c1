import json
import os

import pytest

from easymft.data.corpus import corpus_builder, intake
from easymft.data.corpus import rows as rows_module
from easymft.data.files import csv_rows
from easymft.data.sources.load import load_corpus
from easymft.data.sources.own_files import read_files
from easymft.errors import InputError, InputErrors
from tests.data.reading import own

CSV = "text,label,domain\nfirst,pos,books\nsecond,neg,dvd\n"


def write(path, content: str | bytes):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(corpus) -> list[tuple[str, str, str]]:
    return [
        (row["text"], corpus.labels[row["label"]], corpus.domains[row["domain"]])
        for row in corpus.table.to_pylist()
    ]


FAULTS = [
    "id,text,label,domain,split,weight",  # line 1
    "1,fine,pos,books,train,0.5",
    "2,fine too,neg,books,train,0.5",
    "3,,pos,books,train,0.5",  # 4: empty text
    "4,no label,,books,train,0.5",  # 5
    "5,no domain,pos,  ,train,0.5",  # 6
    "6,ragged,pos,books,train",  # 7
    '7,"bad" quote,pos,books,train,0.5',  # 8
    "8,bad split,pos,books,training set,0.5",  # 9
    "9,bad weight,pos,books,train,much",  # 10
    "1,repeated id,pos,books,train,0.5",  # 11
    "11,other case,POS,books,train,0.5",  # 12
    "12,unknown label,neutral,books,test,0.5",  # 13
    "13,unknown domain,pos,toys,dev,0.5",  # 14
    '14,"never closed,pos,books,train,0.5',  # 15
    "15,swallowed by the open quote,pos,books,train,0.5",
]
FAULT_COLUMNS = {"id": "id", "split": "split", "weight": "weight"}


def test_twelve_planted_faults_are_all_named_with_their_lines(tmp_path):
    path = write(tmp_path / "faults.csv", "\n".join(FAULTS) + "\n")
    with pytest.raises(InputErrors) as caught:
        load_corpus(own({"all": path}, FAULT_COLUMNS))
    message = str(caught.value)
    assert caught.value.count == 12
    assert sorted(problem.line for problem in caught.value.problems) == list(range(4, 16))
    assert message.startswith("12 problems in the data:")
    for line in range(4, 16):
        assert f"faults.csv:{line}: " in message


def test_bad_rows_can_be_skipped_and_are_counted(tmp_path):
    content = "text,label,domain\nx,1,d\n,1,d\ny,2,d\nragged,2\n"
    path = write(tmp_path / "a.csv", content)
    corpus = read_files(own({"all": path}, on_bad_row="skip"))
    assert [row[0] for row in rows(corpus)] == ["x", "y"]
    assert "2 faults in rows that were skipped" in corpus.notes[-1]
    assert "a.csv:3: `text`: is empty" in corpus.notes[-1]


def test_many_faults_are_counted_and_twenty_shown(tmp_path):
    path = write(tmp_path / "a.csv", "text,label,domain\n" + ",1,d\n" * 30)
    with pytest.raises(InputErrors, match="30 problems") as caught:
        read_files(own({"all": path}))
    assert len(caught.value.problems) == 20
    assert str(caught.value).endswith("... and 10 more")


def test_a_cell_beyond_the_limit_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_module, "MAX_CELL_CHARACTERS", 50)
    record = {"text": "x" * 51, "label": "a", "domain": "d"}
    path = write(tmp_path / "a.jsonl", json.dumps(record) + "\n")
    with pytest.raises(InputError, match=r"a\.jsonl:1: `text`: has 51 characters; at most 50"):
        read_files(own({"all": path}))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a", "label": "b"', "not valid JSON"),
        ("[]", "must be a JSON object. Received: a list"),
        ('{"text": "a", "Label": "b", "domain": "d"}', "no key 'label'.*did you mean 'Label'"),
        ('{"text": null, "label": "b", "domain": "d"}', "`text`: is missing"),
        ('{"text": 5, "label": "b", "domain": "d"}', "`text`: must be text. Received: a int"),
        (
            '{"text": "a", "label": ["b"], "domain": "d"}',
            "`label`: must be text or a finite number",
        ),
        ('{"text": "a\\ud800", "label": "b", "domain": "d"}', "half a surrogate pair"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_faults_name_their_line(tmp_path, line, message):
    good = '{"text": "a", "label": "b", "domain": "d"}'
    path = write(tmp_path / "a.jsonl", f"{good}\n{line}\n")
    with pytest.raises(InputError, match=message) as caught:
        read_files(own({"all": path}))
    assert caught.value.line == 2


def test_undecodable_bytes_are_noted_when_few_and_an_error_when_many(tmp_path):
    few = write(tmp_path / "a.csv", CSV.encode() + b"caf\xe9,pos,dvd\n" + CSV[18:].encode() * 10)
    corpus = read_files(own({"all": few}, encoding="utf-8"))
    assert "caf\ufffd" in corpus.table["text"].to_pylist()
    assert any("1 undecodable bytes" in note for note in corpus.notes)
    many = write(tmp_path / "b.csv", CSV.encode() + b"\xe9\xe9\xe9,pos,dvd\n")
    with pytest.raises(InputError, match=r"3 bytes \(4\.9%\) are no text in the encoding utf-8"):
        read_files(own({"all": many}, encoding="utf-8"))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "name either `all`, or `train`"),
        ({"test": "a.csv"}, "Received: \\['test'\\]"),
        ({"all": "a.csv", "train": "a.csv"}, "name either"),
        ({"all": "none-*.csv"}, "no file found. Received: 'none-\\*.csv'"),
        ({"train": "a.csv", "test": "*.csv"}, "stands under `train` already"),
        ({"all": "a.docx"}, "cannot tell the format"),
        ({"all": "broken.parquet"}, "cannot be read as Parquet"),
        ({"all": "empty.csv"}, "empty.csv: `data.files`: is empty; its first line must name"),
    ],
)
def test_wrong_files_are_explained(tmp_path, files, message):
    write(tmp_path / "a.csv", CSV)
    write(tmp_path / "a.docx", "x")
    write(tmp_path / "broken.parquet", "PAR1 no")
    write(tmp_path / "empty.csv", "")
    with pytest.raises(InputError, match=message):
        read_files(own(files, dir=str(tmp_path)))


LINES = [f"text {n},{'ab'[n % 2]},{'xy'[n // 2 % 2]}" for n in range(100_000)]
BAD_LINES = {
    "ragged": "no,comma,after,three",
    "empty": ",a,x",
    "quote never closed": '"never closed,a,x',
    "text after a quote": '"closed" early,a,x',
    "cell too long": f"{'long ' * 250_000},a,x",
    "line too long": f"{'long ' * 1_700_000},a,x",
    "quoted cell over lines": '"two\n' + "lines\n" * 5 + '" and more,a,x',
}


@pytest.mark.long
@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_bad_row_among_100_000_costs_that_row_only(tmp_path, bad):
    lines = ["text,label,domain", *LINES[:50_000], BAD_LINES[bad], *LINES[50_000:]]
    path = write(tmp_path / "a.csv", "\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"a\.csv:50002: "):
        read_files(own({"all": path}))
    corpus = read_files(own({"all": path}, on_bad_row="skip"))
    assert corpus.table["text"].to_pylist() == [f"text {n}" for n in range(100_000)]
    assert corpus.table["line"][-1].as_py() == 100_002 + BAD_LINES[bad].count("\n")
    # The end of a cell over several lines opens a quote once more.
    count = 2 if bad == "quoted cell over lines" else 1
    assert f"{count} faults in rows that were skipped; first: " in corpus.notes[-1]
    assert "a.csv:50002: " in corpus.notes[-1]


def test_a_file_made_to_be_read_again_and_again_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_rows, "MAX_ROW_CHARACTERS", 1_000)
    monkeypatch.setattr(csv_rows, "MAX_REREAD_CHARACTERS", 50_000)
    path = write(tmp_path / "a.csv", "text,label,domain\n" + '",a","x\n' * 1_000)
    with pytest.raises(InputError, match="never closed in so many rows"):
        read_files(own({"all": path}, on_bad_row="skip"))


def test_a_header_that_cannot_be_read_stops(tmp_path):
    path = write(tmp_path / "a.csv", 'text,label,"domain\nx,y,z\n')
    with pytest.raises(InputError, match=r"a\.csv:1: the header cannot be read: a quote"):
        read_files(own({"all": path}, on_bad_row="skip"))


def test_more_text_than_memory_is_for(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_builder, "MAX_CORPUS_BYTES", 1_000)
    path = write(tmp_path / "a.csv", "text,label,domain\n" + "some words,a,x\n" * 100)
    with pytest.raises(InputError, match=r"a\.csv:2: .*more than 1,000 bytes of text"):
        read_files(own({"all": path}))


def test_rows_are_gathered_up_to_a_number_of_characters(tmp_path, monkeypatch):
    monkeypatch.setattr(intake, "BATCH_CHARACTERS", 20)
    path = write(tmp_path / "a.csv", "text,label,domain\n" + "eight ch,a,x\n" * 7)
    table = read_files(own({"all": path})).table
    assert table["text"].num_chunks == 3
    assert len(table) == 7


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("label", "x" * 501, "has 501 characters, at most 500 make a name"),
        ("domain", "two\nlines", "holds a line end or another control character"),
        ("label", {}, "must be text or a finite number. Received: a dict"),
        ("label", None, "is empty; every text needs one"),
        ("text", "a\0b", "holds a NUL character"),
        ("w", 10**400, "must be a finite number. Received: 1000"),
    ],
)
def test_names_texts_and_weights_have_limits(tmp_path, column, value, message):
    record = {"text": "a", "label": "b", "domain": "c", "w": 1, column: value}
    path = write(tmp_path / "a.jsonl", json.dumps(record) + "\n")
    with pytest.raises(InputError, match=message) as caught:
        read_files(own({"all": path}, {"weight": "w"}))
    assert len(str(caught.value)) < 400


def test_columns_beyond_number_are_not_all_listed(tmp_path):
    header = ",".join(f"column {n}" for n in range(5_000))
    with pytest.raises(InputErrors, match="'column 19', and 4,980 more") as caught:
        read_files(own({"all": write(tmp_path / "a.csv", header)}))
    assert len(str(caught.value)) < 3_000


def test_links_out_of_a_folder_are_not_followed_unless_named(tmp_path):
    write(tmp_path / "secret.csv", CSV)
    write(tmp_path / "corpus/a.csv", CSV)
    (tmp_path / "corpus/b.csv").symlink_to("a.csv")
    (tmp_path / "corpus/c.csv").symlink_to("../secret.csv")
    assert len(read_files(own({"all": tmp_path / "corpus/[ab].csv"}))) == 4
    with pytest.raises(InputError, match=r"c\.csv: `data.files.all`: is a link that leads out of"):
        read_files(own({"all": tmp_path / "corpus/*.csv"}))
    assert len(read_files(own({"all": tmp_path / "corpus/c.csv"}))) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_pipe_is_not_waited_for(tmp_path, form):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is not a file but a folder, a pipe or a device"):
        read_files(own({"all": tmp_path / "pipe"}, format=form))
