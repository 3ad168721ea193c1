"""Whatever stands in a file: the readers give a corpus or an `InputError`, nothing else."""

import encodings.aliases
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from easymft.data.corpus.rows import MAX_NAME_CHARACTERS
from easymft.data.sources import amazon_reviews, multi_nli_genre, snippets
from easymft.data.sources.own_files import read_files
from easymft.errors import InputError
from tests.data.reading import REVIEW, own, write_pairs, write_snippets

ROLES = {"text_pair": "pair", "id": "id", "split": "split", "weight": "weight"}
HEADERS = {
    "csv": b"text,label,domain\n",
    "tsv": b"text\tlabel\tdomain\n",
    "jsonl": b'{"text": "a", "label": "b", "domain": "c"}\n',
    "easytransfer": b"a\t0\tb\t0.5\n",
}
SHARED_FOLDER = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Bytes that mean something to a parser come up often enough.
pieces = st.sampled_from([b'"', b'""', b",", b"\t", b"\n", b"\r", b"\0", b"\xff", b"\xe9", b"[{"])
contents = st.lists(pieces | st.binary(max_size=8), max_size=40).map(b"".join)
cells = st.text(max_size=20) | st.integers() | st.floats() | st.booleans() | st.none()
values = cells | st.lists(cells, max_size=2) | st.dictionaries(st.text(max_size=3), cells)


def rows_or_error(read):
    """The corpus as rows of names, or None where it is an error of one short line each."""
    try:
        corpus = read()
    except InputError as error:
        assert all(len(line) < 4_000 for line in str(error).split("\n"))  # noqa: PT017
        return None
    for names in (corpus.labels, corpus.domains):
        assert all(0 < len(name) <= MAX_NAME_CHARACTERS for name in names)
    return corpus.table.to_pylist()


@SHARED_FOLDER
@given(
    st.sampled_from(sorted(HEADERS)), contents, st.booleans(), st.sampled_from(["error", "skip"])
)
def test_any_bytes_behind_a_good_beginning(tmp_path, form, content, with_header, on_bad_row):
    path = tmp_path / "texts"
    path.write_bytes((HEADERS[form] if with_header else b"") + content)
    rows_or_error(lambda: read_files(own({"all": path}, format=form, on_bad_row=on_bad_row)))


@SHARED_FOLDER
@given(
    st.lists(
        st.fixed_dictionaries(
            {"text": values, "label": values, "domain": values},
            optional={name: values for name in ROLES.values()},
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_json_values(tmp_path, records):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    columns = {role: name for role, name in ROLES.items() if name in records[0]}
    if (rows := rows_or_error(lambda: read_files(own({"all": path}, columns)))) is not None:
        assert [row["text"] for row in rows] == [record["text"] for record in records]


@SHARED_FOLDER
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=4), st.booleans())
def test_any_parquet_columns(tmp_path, rows, as_dictionary):
    path = tmp_path / "texts.parquet"
    texts, labels = zip(*rows, strict=True)
    try:
        columns = [pa.array(texts), pa.array(labels), pa.array(["d"] * len(rows))]
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return  # several types in one column
    if as_dictionary:
        columns = [column.dictionary_encode() for column in columns]
    try:
        pq.write_table(pa.table(columns, names=["text", "label", "domain"]), path)
    except pa.ArrowNotImplementedError:
        return  # a dictionary of nulls
    rows_or_error(lambda: read_files(own({"all": path})))


@SHARED_FOLDER
@given(contents)
def test_any_bytes_as_parquet(tmp_path, content):
    path = tmp_path / "texts.parquet"
    path.write_bytes(b"PAR1" + content + b"PAR1")
    assert rows_or_error(lambda: read_files(own({"all": path}))) is None


@SHARED_FOLDER
@given(contents, st.integers(0, 400))
@example(b"\x1f\x8b", 0)
def test_any_bytes_within_reviews(tmp_path, content, place):
    good = (REVIEW.format(number=0, rating=4.0, text="fine &amp; good") * 2).encode()
    path = tmp_path / "positive.review"
    path.write_bytes(good[:place] + content + good[place:])
    try:
        for review in amazon_reviews.read_reviews(path):
            review["text"].encode()
    except InputError as error:
        packed = path.read_bytes().startswith(b"\x1f\x8b")  # a damaged gzip file has no lines
        assert error.line is not None or packed  # noqa: PT017


@pytest.mark.long
@SHARED_FOLDER
@given(st.fixed_dictionaries({}, optional={k: values for k in ("sentence1", "genre", "pairID")}))
def test_any_values_in_a_pair(tmp_path, changes):
    folder = write_pairs(tmp_path)
    path = folder / "multinli_1.0_train.jsonl"
    record = {**json.loads(path.read_text().split("\n")[0]), **changes}
    path.write_text(json.dumps(record) + "\n")
    for on_bad_row in ("error", "skip"):
        rows_or_error(lambda choice=on_bad_row: multi_nli_genre.read_folder(folder, choice))


@pytest.mark.long
@SHARED_FOLDER
@given(st.text(max_size=40))
def test_any_line_among_the_snippets(tmp_path, line):
    path = write_snippets(tmp_path / "a.tar.gz", tweet=f"1\t2.5\tgood\r\n{line}")
    rows_or_error(lambda: snippets.read_archive(path))


@pytest.mark.parametrize("name", sorted({*encodings.aliases.aliases.values(), "idna", "undefined"}))
def test_every_codec_of_python(tmp_path, name):
    path = tmp_path / "texts.csv"
    path.write_bytes(b"text,label,domain\na,b,c\n" + bytes(range(1, 256)))
    rows_or_error(lambda: read_files(own({"all": path}, encoding=name, on_bad_row="skip")))
