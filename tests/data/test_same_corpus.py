"""One corpus, however it is written down: the same ids, labels, domains, splits and tokens."""

import csv
import itertools
import json

import keras_hub
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from easymft.config import Columns
from easymft.data.batches.tokenized import tokenize
from easymft.data.corpus.values import flat_values
from easymft.data.sources.own_files import read_files
from easymft.data.sources.packed import read_corpus, write_packed
from easymft.errors import InputError
from easymft.in_memory.corpus import labelled
from easymft.in_memory.estimator_input import text_columns
from tests.data.reading import own

SHARED_FOLDER = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# What names are made of: letters of both cases, digits as of numbers, spaces that nobody sees,
# an accent stored in one character and in two.
words = st.text("aA10. \u00a0\u3000e\u00e9\u0301_", max_size=5)
# A column holds values of one kind, as in a data frame.
columns = st.sampled_from(
    [
        words | st.none(),
        st.sampled_from(["01", "1", "True", "true", "1.0", "nan", " x ", "", "None"]),
        st.integers(-2, 3) | st.none(),
        st.sampled_from([0.0, 1.0, -1.0, 0.5, 0.1, 1e-7, float("nan"), None]),
        st.sampled_from([np.float32(x) for x in (0.0, 3.0, 0.1, 1e-7, 65_536)]),
        st.booleans() | st.none(),
    ]
)
ids = st.sampled_from([st.integers(0, 99), st.sampled_from(["a", "b ", "c\u0301", "7", "07"])])


@st.composite
def tables(draw):
    """Rows of text, label, domain and id, as Python objects."""
    count = draw(st.integers(1, 6))
    made = {"text": [f"good book {n} caf\u00e9" for n in range(count)]}
    for name, kinds in (("label", columns), ("domain", columns), ("id", ids)):
        kind = draw(kinds)
        made[name] = [draw(kind) for _ in range(count)]
    return made


def _native(value):
    return value.item() if isinstance(value, np.generic) else value


def _rows(table):
    return [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)]


def _delimited(table, folder, delimiter, name):
    with open(folder / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table), delimiter=delimiter)
        writer.writeheader()
        # What is no number is written as nothing, as pandas does.
        writer.writerows({k: v if v == v else "" for k, v in row.items()} for row in _rows(table))
    return folder / name


def _jsonl(table, folder):
    # As pandas and others write a number of half precision: by its own text.
    lines = [
        json.dumps(
            {
                name: float(str(value)) if isinstance(value, np.float32) else _native(value)
                for name, value in row.items()
            }
        )
        for row in _rows(table)
    ]
    (folder / "a.jsonl").write_text("\n".join(lines))
    return folder / "a.jsonl"


def _parquet(table, folder):
    arrays = {
        name: pa.array([_native(v) for v in values], pa.float32())
        if isinstance(values[0], np.float32)
        else pa.array(values)
        for name, values in table.items()
    }
    pq.write_table(pa.table(arrays), folder / "a.parquet")
    return folder / "a.parquet"


def _frame(table):
    # Of a list of numbers of half precision pandas makes whole precision, and 0.1 is gone.
    halves = {name: isinstance(values[0], np.float32) for name, values in table.items()}
    return pd.DataFrame(
        {name: np.array(values) if halves[name] else values for name, values in table.items()}
    )


def _by_pandas(table, folder, suffix):
    frame = _frame(table)
    path = folder / f"frame.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="," if suffix == "csv" else "\t")
    return path


WRITERS = {
    "csv": lambda table, folder: _delimited(table, folder, ",", "a.csv"),
    "tsv": lambda table, folder: _delimited(table, folder, "\t", "a.tsv"),
    "jsonl": _jsonl,
    "parquet": _parquet,
    **{
        f"{suffix} by pandas": lambda table, folder, s=suffix: _by_pandas(table, folder, s)
        for suffix in ("csv", "tsv", "parquet")
    },
}


def seen(corpus, with_ids=True):
    """Text, label, domain, split and (where there are any of the user's) id of every row."""
    return [
        (
            row["text"],
            corpus.labels[row["label"]],
            corpus.domains[row["domain"]],
            row.get("split"),
            row["id"] if with_ids else None,
        )
        for row in corpus.table.to_pylist()
    ]


def or_none(read):
    """What was seen, or None where it is an `InputError`."""
    try:
        return read()
    except InputError:
        return None


@pytest.mark.long
@SHARED_FOLDER
@given(tables())
def test_files_of_every_format_are_one_corpus(tmp_path, table):
    found = {}
    for name, write in WRITERS.items():
        path = write(table, tmp_path)
        data = own({"all": path}, columns={"id": "id"}, on_bad_row="skip")
        found[name] = or_none(lambda data=data: seen(read_files(data)))
    first = found["parquet"]
    assert found == dict.fromkeys(found, first)


@pytest.mark.long
@SHARED_FOLDER
@given(tables())
def test_lists_arrays_and_frames_are_the_corpus_of_the_file(tmp_path, table):
    del table["id"]
    path = _parquet(table, tmp_path)
    data = own({"all": path})
    first = or_none(lambda: seen(read_files(data), with_ids=False))
    frame = _frame(table)
    containers = {
        "lists": table,
        "tuples": {name: tuple(values) for name, values in table.items()},
        "arrays": {name: list(np.asarray(values)) for name, values in table.items()},
        "objects": {name: list(np.array(values, object)) for name, values in table.items()},
        "frame": {
            **text_columns(frame[["domain", "text"]]),
            "label": flat_values("labels", frame["label"]),
        },
    }
    for name, columns_ in containers.items():
        found = or_none(lambda given=columns_: seen(labelled(given), with_ids=False))
        assert found == first, name


KINDS = {
    "text": (["good", "bad"], [" books", "cafe\u0301", "tools"]),
    "integers": ([1, 0], [np.int64(10), np.int64(9), np.int64(3)]),
    "floats": ([1.0, 0.0], [np.float32(0.1), np.float32(3.0), np.float32(0.5)]),
    "truth": ([True, False], [True, False, True]),
}


def corpus_of_kind(kind):
    """12 texts of two labels and three domains."""
    labels, domains = KINDS[kind]
    pairs = list(itertools.product(labels, domains)) * 2
    return {
        "text": [f"good book number {n}" for n in range(len(pairs))],
        "label": [label for label, _ in pairs],
        "domain": [domain for _, domain in pairs],
    }


def tokens_by_text(corpus, folder):
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "book", "number"]
    vocabulary += [str(n) for n in range(12)]
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
        keras_hub.models.BertTokenizer(vocabulary), truncate="waterfall"
    )
    tokens = tokenize(corpus, preprocessor, 8, folder / "cache")
    return {
        text: (
            tokens.token_ids[tokens.offsets[row] : tokens.offsets[row + 1]].tolist(),
            corpus.labels[tokens.labels[row]],
            corpus.domains[tokens.domains[row]],
        )
        for row, text in enumerate(corpus.table["text"].to_pylist())
    }


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_tokens_are_the_same_from_every_source(tmp_path, monkeypatch, kind):
    table = corpus_of_kind(kind)
    read = {
        name: read_files(own({"all": write(table, tmp_path)})) for name, write in WRITERS.items()
    }
    read["lists"] = labelled(table)
    read["folder"] = read_files(own({"all": _folder(table, tmp_path / "texts")}))
    read["tfds"] = _tfds(table, tmp_path / "tfds", monkeypatch)
    found = {name: tokens_by_text(corpus, tmp_path / name) for name, corpus in read.items()}
    assert len(found["parquet"]) == 12
    assert found == dict.fromkeys(found, found["parquet"])
    labels = {corpus.labels for corpus in read.values()}
    assert len(labels) == len({corpus.domains for corpus in read.values()}) == 1


def _folder(table, folder):
    """A file a text, in folders named after its domain and label."""
    for n, row in enumerate(_rows(table)):
        place = folder / str(row["domain"]) / str(row["label"])
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{n:02d}.txt").write_text(row["text"])
    return folder


def _tfds(table, folder, monkeypatch):
    import tensorflow_datasets as tfds

    from easymft.data.sources.tfds_source import read_tfds
    from tests.data.sources.tfds_data_sets import write_tfds

    features = {
        name: tfds.features.Text() if isinstance(values[0], str) else np.asarray(values).dtype.type
        for name, values in table.items()
    }
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(folder))
    write_tfds(folder, "same_set", features, {"train": _rows(table)})
    return read_tfds("same_set", Columns())


def test_a_packed_corpus_is_the_corpus(tmp_path):
    from easymft.data.batches.tokenized_texts import TokenizedTexts

    corpus = read_files(own({"all": _parquet(corpus_of_kind("text"), tmp_path)}))
    none = np.zeros(len(corpus), np.int32)
    tokens = TokenizedTexts(none, np.arange(len(corpus) + 1), none, none, none, max_length=8)
    write_packed(tmp_path / "packed", corpus, tokens)
    assert seen(read_corpus(tmp_path / "packed")) == seen(corpus)
