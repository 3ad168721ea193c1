import functools
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from easymft import preemption
from easymft.errors import InputError
from easymft.export import predict, predict_file
from easymft.export.predictor import in_batches
from easymft.progress import progress_bar
from tests.export.conftest import LABELS, expected

ROWS = [
    {"text": "good", "domain": "books", "id": "01"},
    {"text": 'the "CAFÉ",\nbad', "domain": "dvd & co", "id": "02"},
    {"text": "", "domain": "", "id": "03"},
]


@pytest.fixture(autouse=True, scope="module")
def load_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict, "Predictor", functools.cache(predict.Predictor))
        yield


@pytest.fixture(scope="module")
def answers(models, preprocessor):
    names = ("books", "dvd & co", "meta-learner")
    return np.concatenate(
        [expected(models[n], preprocessor, [r["text"]]) for n, r in zip(names, ROWS, strict=True)]
    )


def write(path):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        options = pyarrow.csv.WriteOptions(delimiter="\t" if path.suffix == ".tsv" else ",")
        pyarrow.csv.write_csv(pa.Table.from_pylist(ROWS), path, options)
    return path


@pytest.mark.long
@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet"])
def test_reads_files(tmp_path, export_folder, answers, form):
    output = tmp_path / "out.parquet"
    assert predict_file(export_folder, write(tmp_path / f"in.{form}"), output, batch_size=2) == 3
    table = pq.read_table(output)
    probabilities = [f"probability_{label}" for label in LABELS]
    answered = {"label", "score", "abstain", *probabilities}
    assert set(table.column_names) == {"id", "text", "domain", *answered}
    assert table.select(["text", "domain", "id"]).to_pylist() == ROWS
    matrix = np.stack([table[name].to_numpy() for name in probabilities], 1)
    np.testing.assert_allclose(matrix, answers, atol=1e-5)
    np.testing.assert_allclose(table["score"].to_numpy(), answers.max(1), atol=1e-5)
    assert table["label"].to_pylist() == [LABELS[code] for code in answers.argmax(1)]


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_writes_files(tmp_path, export_folder, answers, form):
    output = tmp_path / f"out.{form}"
    predict_file(export_folder, write(tmp_path / "in.jsonl"), output)
    if form == "jsonl":
        rows = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    else:
        parsing = pyarrow.csv.ParseOptions(
            delimiter="\t" if form == "tsv" else ",", newlines_in_values=True
        )
        rows = pyarrow.csv.read_csv(output, parse_options=parsing).to_pylist()
    assert [row["text"] for row in rows] == [row["text"] for row in ROWS]
    assert [row["label"] for row in rows] == [LABELS[code] for code in answers.argmax(1)]


def test_standard_input_and_output(export_folder, answers, monkeypatch, capsys):
    stream = io.TextIOWrapper(io.BytesIO(b"good\r\nbad \xff\n\ngood"))
    monkeypatch.setattr("sys.stdin", stream)
    assert predict_file(export_folder, domain="books") == 4
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["text"] for row in rows] == ["good", "bad \ufffd", "", "good"]
    assert rows[0]["domain"] == "books"
    assert rows[0]["score"] == pytest.approx(answers[0].max(), abs=1e-5)


@pytest.mark.long
def test_a_single_model_needs_no_domain(tmp_path, export_folder):
    (tmp_path / "in.csv").write_text("text\ngood\n")
    predict_file(export_folder / "books", tmp_path / "in.csv", tmp_path / "out.csv")
    header = (tmp_path / "out.csv").read_text("utf-8").splitlines()[0]
    assert "domain" not in header


def test_other_column_names(tmp_path, export_folder):
    (tmp_path / "in.csv").write_text("review,shop\ngood,books\n")
    columns = {"text": "review", "domain": "shop"}
    predict_file(export_folder, tmp_path / "in.csv", tmp_path / "out.parquet", columns=columns)
    assert pq.read_table(tmp_path / "out.parquet")["domain"].to_pylist() == ["books"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.csv", "txt,domain\ngood,books\n", "in.csv:1: .*no column 'text'.*'txt'"),
        ("in.csv", "text,domain\ngood\n", "in.csv:2: 1 cells where the header has 2"),
        ("in.jsonl", '{"text": "a"}\n{"text": 3}\n', "in.jsonl:2: `text`: must be text"),
        ("in.jsonl", '{"text": "a"}\n{"txt": "a"}\n', "in.jsonl:2: no key 'text'"),
        ("in.jsonl", "no json\n", "in.jsonl:1: not valid JSON"),
        ("in.parquet", "no parquet", "cannot be read as Parquet"),
        ("in.xlsx", "", "`--input_format`: cannot tell the format"),
        ("in.csv", "text\n", "holds no text"),
    ],
)
def test_bad_input_leaves_no_output(tmp_path, export_folder, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        predict_file(export_folder, tmp_path / name, tmp_path / "out.parquet")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_unknown_format_is_refused(export_folder):
    with pytest.raises(InputError, match=r"must be one of auto, lines.*Received: 'xml'"):
        predict_file(export_folder, input_format="xml")


class Spy:
    """A model that answers with what it was asked, and remembers it."""

    inputs = ("text", "domain")
    domains = ("books", "films")

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked.append(list(zip(texts["domain"], map(len, texts["text"]), strict=True)))
        return {"label": list(texts["text"]), "score": [0.5] * len(texts["text"])}


def test_batches_are_of_one_domain_and_length_and_answers_in_the_order_asked():
    random = np.random.default_rng(1)
    texts = [f"{number} " + "x" * random.integers(200) for number in range(500)]
    names = ("books", "films", "", *(f"unknown {number}" for number in range(500)))
    domains = [names[random.integers(len(names))] for _ in texts]
    spy = Spy()
    answers = in_batches(spy, {"text": texts, "domain": domains}, 32)
    assert answers["label"] == texts
    known = [[domain in spy.domains and domain for domain, _ in batch] for batch in spy.asked]
    # Three kinds of texts: at most two batches are mixed.
    assert sum(len(set(batch)) > 1 for batch in known) <= 2
    spread = [max(lengths) - min(lengths) for lengths in ([n for _, n in b] for b in spy.asked)]
    assert np.median(spread) < 40


def test_a_request_to_stop_is_heard(monkeypatch):
    bar = progress_bar("predict", 64)
    monkeypatch.setattr(preemption, "requested", lambda: True)
    with pytest.raises(preemption.Stopped):
        in_batches(Spy(), dict(text=["a"] * 64, domain=[""] * 64), 32, bar.update)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_hostile_texts_are_answered_as_the_model_answers_them(
    tmp_path, export_folder, models, preprocessor, form
):
    texts = ["", " \t", "a\0b good", "good the " * 200_000, "\ufeffgood\u202e", "漢字" * 50, "good"]
    if form == "jsonl":
        (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    else:
        pq.write_table(pa.table({"text": texts}), tmp_path / "in.parquet")
    predict_file(export_folder, tmp_path / f"in.{form}", tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["text"].to_pylist() == texts
    probabilities = expected(models["meta-learner"], preprocessor, [t[:128] for t in texts])
    found = np.stack([table[f"probability_{label}"].to_numpy() for label in LABELS], 1)
    np.testing.assert_allclose(found, probabilities, atol=1e-5)


def test_who_answers_for_other_domains_is_said(tmp_path, export_folder, caplog):
    (tmp_path / "in.csv").write_text("text,domain\na,Books\nb,\nc,books\nd,music\ne,garden\n")
    with caplog.at_level("INFO", "easymft"):
        predict_file(export_folder, tmp_path / "in.csv", tmp_path / "out.csv")
    assert "1 of 5 texts have no domain (column 'domain')" in caplog.text
    unknown = "2 of 5 texts are of domains that training did not know ('Books', 'garden'; "
    assert unknown in caplog.text
    assert "'books'" in caplog.text.partition(unknown)[2]


def test_a_piped_table_is_read_as_one(export_folder, answers, monkeypatch, capsys):
    stream = io.TextIOWrapper(io.BytesIO(b"domain,text\nbooks,good\n"))
    monkeypatch.setattr("sys.stdin", stream)
    assert predict_file(export_folder) == 1
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (row["text"], row["domain"]) == ("good", "books")
    assert row["score"] == pytest.approx(answers[0].max(), abs=1e-5)
