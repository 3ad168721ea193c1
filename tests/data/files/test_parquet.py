import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from easymft.data.files import parquet_rows as records
from easymft.data.sources.own_files import read_files
from easymft.errors import InputError
from tests.data.reading import own


@pytest.fixture
def read(tmp_path):
    """Writes columns as Parquet and reads them as a corpus."""

    def write_and_read(columns, settings=None, **rest):
        path = tmp_path / "texts.parquet"
        pq.write_table(pa.table(columns), path, **rest)
        return read_files(own({"all": path}, settings))

    return write_and_read


def repeated(text, rows):
    """A column that says one text in every row."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("text", [1, 2], "column 'text' must hold text. Received: int64"),
        ("text", [b"a", b"b"], "column 'text' must hold text. Received: binary"),
        ("label", [["a"], ["b"]], "column 'label' must hold text or numbers. Received: list"),
        ("domain", [{"a": 1}] * 2, "column 'domain' must hold text or numbers. Received: struct"),
    ],
)
def test_columns_of_another_type(read, column, values, message):
    columns = {"text": ["t", "u"], "label": ["a", "b"], "domain": ["d", "d"], column: values}
    with pytest.raises(InputError, match=message) as caught:
        read(columns)
    assert caught.value.field == f"data.columns.{column}"


def test_texts_that_repeat_are_read_in_slices(read, monkeypatch):
    monkeypatch.setattr(records, "SLICE_BYTES", 100)
    rows = 50
    columns = {
        "text": repeated("thirty characters, give or take", rows),
        "label": [f"{n % 2}" for n in range(rows)],
        "domain": list(range(rows)),
    }
    corpus = read(columns)
    assert corpus.codes("domain").tolist() == list(range(rows))
    assert set(corpus.table["text"].to_pylist()) == {"thirty characters, give or take"}


def test_a_small_file_of_much_text_is_refused(read, monkeypatch):
    columns = {"text": repeated("x" * 1_000, 500), "label": ["a", "b"] * 250, "domain": [0] * 500}
    assert len(read(columns)) == 500
    monkeypatch.setattr(records, "most_unpacked", lambda path: 10_000)
    with pytest.raises(InputError, match="unpacks to more than 0 MB of text, far more than"):
        read(columns)
    # One text, packed; the file itself says how long it is.
    with pytest.raises(InputError, match="unpacks to more than"):
        read({"text": ["x" * 500_000], "label": ["a"], "domain": [0]}, compression="zstd")


def test_columns_are_found_whatever_their_order_and_the_space_around_their_names(read):
    names = {"id": "key"}
    corpus = read(
        {" domain": ["d"], "other": [1], "key": ["k"], "label": ["a"], "text ": ["t"]}, names
    )
    row = corpus.table.to_pylist()[0]
    assert (row["id"], row["text"]) == ("k", "t")
    assert (corpus.labels, corpus.domains) == (("a",), ("d",))


def test_bytes_that_are_no_text_name_their_row(read):
    text = pa.array([b"fine", b"\xff"]).cast(pa.binary()).view(pa.string())
    with pytest.raises(InputError, match=r"parquet:2: `text`: must be text. Received: a bytes"):
        read({"text": text, "label": ["a", "b"], "domain": ["d", "d"]})


def test_no_rows(read):
    columns = {name: pa.array([], pa.string()) for name in ("text", "label", "domain")}
    with pytest.raises(InputError, match="no usable row"):
        read(columns)
