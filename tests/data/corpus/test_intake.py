"""The one way in: the same rows are refused, and the same names given, whatever the source."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from easymft.data.corpus.intake import Intake, checked
from easymft.data.corpus.schema import Corpus
from easymft.errors import InputError, InputErrors

GOOD = [
    {"text": "a fine plot", "label": "good", "domain": "books"},
    {"text": "a poor plot", "label": "bad", "domain": "books"},
]
BAD = {
    "label": [None, float("nan"), pd.NA, "", "  ", [1], b"good", float("inf")],
    "domain": [None, np.float32("nan"), pd.NaT, "", {}, "a\nb", "x" * 501],
    "text": [None, "", " ", 5, b"text", "a\0b", pd.NA, "\ud800"],
}


def take(rows, on_bad_row="error", **more):
    intake = Intake(on_bad_row, **more)
    for number, row in enumerate(rows):
        intake.add(row, id=str(number), file="a.csv", line=number + 2)
    return intake.finish(name="n", origin="o")


@pytest.mark.parametrize(("role", "value"), [(r, v) for r, vs in BAD.items() for v in vs])
def test_a_bad_row_is_refused_with_its_place_or_left_out_and_counted(role, value):
    rows = [*GOOD, {**GOOD[0], role: value}]
    with pytest.raises(InputError, match=rf"^a\.csv:4: `my {role}`: "):
        take(rows, fields={role: f"my {role}"})
    corpus = take(rows, "skip")
    assert corpus.table["id"].to_pylist() == ["0", "1"]
    assert corpus.skipped == 1
    assert corpus.notes[-1].startswith("1 faults in rows that were skipped; first: a.csv:4: ")


def test_a_row_that_says_nothing_is_one_fault():
    with pytest.raises(InputError, match="holds nothing in any of the columns 'text', 'y'"):
        take([*GOOD, {"text": "", "label": None, "domain": " "}], fields={"label": "y"})


def test_without_a_file_the_place_is_a_position():
    intake = Intake(fields={"label": "labels"})
    for number, row in enumerate([*GOOD, {**GOOD[0], "label": None}]):
        intake.add(row, id=str(number), line=number)
    with pytest.raises(InputError, match=r"^`labels\[2\]`: is empty"):
        intake.finish(name="lists", origin="lists")


def test_no_good_row_is_an_error_that_names_the_source():
    with pytest.raises(InputError, match=r"^b: `data\.files`: no usable row; the header"):
        take([], source={"file": "b", "field": "data.files"})
    with pytest.raises(InputError, match=r"no usable row; first fault: a\.csv:2: `text`: is empty"):
        take([{**GOOD[0], "text": ""}], "skip")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Good", "good"), ("so  so", "so so"), ("1.50", "1.5"), ("2.00", 2), ("STRASSE", "straße")],
)
@pytest.mark.parametrize("column", ["label", "domain"])
def test_one_name_in_two_ways_is_refused(column, one, other):
    rows = [{**GOOD[0], column: one}, GOOD[1], {**GOOD[0], column: other}]
    with pytest.raises(InputError, match=rf"a\.csv:4: `{column}`: .* by case, space or trailing"):
        take(rows)


@pytest.mark.parametrize(("one", "other"), [("01", "1"), ("1.5", "1.25"), ("-1", "1"), ("a", "á")])
def test_names_that_may_both_be_meant_stay_two(one, other):
    corpus = take([{**GOOD[0], "label": one}, {**GOOD[0], "label": other}])
    assert sorted(corpus.labels) == sorted([one, other])


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        (3, 3.0, "3"),
        (" x", "x", "x"),
        ("caf\u00e9", "cafe\u0301", "caf\u00e9"),
        (True, "True", "true"),
    ],
)
def test_one_name_of_two_kinds_is_one_domain(one, other, name):
    corpus = take([{**GOOD[0], "domain": one}, {**GOOD[1], "domain": other}])
    assert corpus.domains == (name,)


def test_an_id_that_stands_twice_names_both_places():
    with pytest.raises(InputError, match=r"a\.csv:3: `key`: id '7' stands already at a\.csv:2"):
        take([{**GOOD[0], "id": 7}, {**GOOD[1], "id": "7.0"}], fields={"id": "key"})


def test_only_training_texts_need_a_weight():
    rows = [
        {**GOOD[0], "split": "train", "weight": 0.5},
        {**GOOD[1], "split": "train", "weight": "0.25"},
        {**GOOD[0], "split": "validation", "weight": None},
        {**GOOD[1], "split": "test", "weight": 2},
    ]
    table = take(rows).table
    assert table["typicality"].to_pylist() == [0.5, 0.25, None, 2.0]
    assert table["split"].to_pylist() == ["train", "train", "dev", "test"]
    with pytest.raises(InputError, match=r"a\.csv:2: `weight`: must be a finite number"):
        take([{**rows[0], "weight": None}])
    with pytest.raises(InputError, match=r"a\.csv:2: `split`: must be train, dev or test"):
        take([{**rows[0], "split": "Trian"}])


def test_what_else_is_wrong_with_the_splits_is_said_at_once():
    rows = [{**GOOD[0], "split": "train"}, {**GOOD[1], "split": "test"}, {**GOOD[0], "text": ""}]
    with pytest.raises(InputErrors) as caught:
        take([{**row, "split": row.get("split", "train")} for row in rows])
    assert "label 'bad' of a test text is in no training text" in str(caught.value)
    assert "a.csv:4: `text`: is empty" in str(caught.value)


def made_elsewhere(texts=("one", "two"), ids=("a", "b"), labels=("n", "p"), domains=("x", "y")):
    columns = {
        "id": pa.array(ids),
        "text": pa.array(texts),
        "label": pa.array([0, 1], pa.int32()),
        "domain": pa.array([1, 0], pa.int32()),
    }
    return Corpus(pa.table(columns), labels, domains, "c", "o")


def test_a_corpus_from_elsewhere_passes_the_same_checks():
    good = made_elsewhere()
    assert checked(good, "c.parquet") == good
    named = checked(made_elsewhere(labels=("0.0", "1.0"), domains=(" x", "y")), "c.parquet")
    assert (named.labels, named.domains) == (("0", "1"), ("x", "y"))
    for change, words in [
        ({"texts": ("one", " ")}, r"c\.parquet:2: `text`: is empty"),
        ({"ids": ("a", "a")}, "`id`: id 'a' stands twice"),
        ({"labels": ("", "p")}, r"c\.parquet:1: `label`: is empty"),
        ({"domains": ("x", "X")}, "differs from 'X' by case"),
    ]:
        with pytest.raises(InputError, match=words):
            checked(made_elsewhere(**change), "c.parquet")
