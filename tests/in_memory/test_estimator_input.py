import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import DataConversionWarning

from easymft.errors import InputError
from easymft.in_memory.corpus import labelled
from easymft.in_memory.estimator_input import (
    class_labels,
    classes_of,
    places_with_labels,
    text_columns,
    warn_of_mistyped,
    with_classes,
)

TEXTS, DOMAINS = ["a b", "c", "d"], ["x", "y", "x"]
ROWS = list(zip(TEXTS, DOMAINS, strict=True))
FRAME = pd.DataFrame({"domain": DOMAINS, "other": [1, 2, 3], "text": TEXTS})
COLUMNS = {"domain": DOMAINS, "text": TEXTS}
RECORDS = np.array(ROWS, dtype=[("text", "U9"), ("domain", "U9")])


@pytest.mark.parametrize(
    "shape",
    [
        *(ROWS, tuple(ROWS), zip(TEXTS, DOMAINS, strict=True), np.array(ROWS)),
        *(np.array(ROWS, dtype=object), FRAME, FRAME[["text", "domain"]], COLUMNS),
        *(pa.table(COLUMNS), pa.RecordBatch.from_pydict(COLUMNS), RECORDS, pl.DataFrame(COLUMNS)),
        *(RECORDS.view(np.recarray), FRAME.astype("category"), FRAME.astype("string")),
        FRAME.rename(columns={"text": " Text", "domain": "DOMAIN"}),
        # As scikit-learn's `ColumnTransformer` calls them.
        FRAME.rename(columns={"text": "keep__text", "domain": "keep__domain"}),
        FRAME.rename(columns={"other": "raw__text"}),
    ],
    ids=lambda shape: type(shape).__name__,
)
def test_texts_with_domains_come_in_many_shapes(shape):
    assert text_columns(shape) == {"text": TEXTS, "domain": DOMAINS}


@pytest.mark.parametrize(
    "shape",
    [
        *(TEXTS, tuple(TEXTS), np.array(TEXTS), pd.Series(TEXTS), [[text] for text in TEXTS]),
        *(np.array(TEXTS)[:, None], iter(TEXTS), pa.array(TEXTS), pa.chunked_array([TEXTS])),
        *(pd.Series(TEXTS, dtype="category"), pd.Index(TEXTS), FRAME[["text"]]),
        *(pd.DataFrame(TEXTS), {"text": TEXTS}, pl.Series(TEXTS)),
    ],
    ids=lambda shape: type(shape).__name__,
)
def test_so_do_texts_alone(shape):
    assert text_columns(shape) == {"text": TEXTS}


def test_so_does_a_data_set_of_hugging_face():
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({**COLUMNS, "label": ["p", "q", "p"]})
    assert text_columns(data) == {"text": TEXTS, "domain": DOMAINS}
    assert text_columns(data["text"]) == {"text": TEXTS}
    assert class_labels(data["label"]).tolist() == ["p", "q", "p"]


def test_what_was_not_read_yet_is_no_text():
    with pytest.raises(InputError, match=r"give what `collect\(\)` of the LazyFrame has"):
        text_columns(pl.DataFrame(COLUMNS).lazy())
    with pytest.raises(InputError, match=r"`y`: must be a list, .* Received: a LazyFrame"):
        class_labels(pl.DataFrame({"label": TEXTS}).lazy())


def test_pairs_come_in_a_frame():
    frame = FRAME.rename(columns={"other": "Text_Pair"})
    assert text_columns(frame) == {"text": TEXTS, "text_pair": [1, 2, 3], "domain": DOMAINS}


def test_a_frame_without_names_goes_by_position():
    assert text_columns(pd.DataFrame(ROWS)) == {"text": TEXTS, "domain": DOMAINS}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["domain", "review"], "must have a column called text .*: the columns 'domain', 'review'"),
        (["review"], "must have a column called text .*: the columns 'review'"),
        ([0, "domain"], "must have a column called text .*: the columns 0, 'domain'"),
        ([("text", "a"), ("domain", "b")], "must have a column called text"),
        (["text", "text"], "has 2 columns for text: 'text', 'text'"),
        (["text", "Domain", "domain "], "has 2 columns for domain: 'Domain', 'domain '"),
        (["a__text", "b__text"], "has 2 columns for text: 'a__text', 'b__text'"),
        (["text", "TEXT", "domain"], "has 2 columns for text: 'text', 'TEXT'"),
    ],
)
def test_columns_whose_names_do_not_say_what_they_are_are_refused(names, message):
    frame = pd.DataFrame([["a"] * len(names)], columns=pd.Index(names, tupleize_cols=False))
    with pytest.raises(InputError, match=message):
        text_columns(frame)


@pytest.mark.parametrize("names", [["text", "genre"], ["text", "domain", "domains", "id"]])
def test_columns_that_may_be_meant_and_are_not_used_are_named(names):
    frame = pd.DataFrame([["a"] * len(names)], columns=names)
    expected = "not used: 'genre'" if "genre" in names else "not used: 'domains';"
    with pytest.warns(UserWarning, match=expected):
        text_columns(frame)


def test_a_user_s_own_columns_are_left_in_peace():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text_columns(FRAME)


@pytest.mark.parametrize(
    "shape",
    [
        *("a text", 5, None, np.zeros((3, 3)), np.zeros((2, 2, 2)), FRAME[[]], {"a", "b"}, {}),
        [("a", "b", "c")],
    ],
)
def test_anything_else_is_refused(shape):
    with pytest.raises(InputError, match="`X`: must be a list of texts, rows of text and domain"):
        text_columns(shape)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a", ("b", "x")], r"`X\[1\]`: must be like X\[0\], .* Received: \('b', 'x'\) and"),
        ([("a", "x"), ("b",)], r"`X\[1\]`: must be like X\[0\], .* Received: \('b',\) and"),
        ([["a", "x"], "b"], r"`X\[1\]`: must be like X\[0\], .* Received: 'b' and"),
    ],
)
def test_a_row_unlike_the_first_is_named(rows, message):
    with pytest.raises(InputError, match=message):
        text_columns(rows)


def test_a_domain_that_looks_like_one_of_fit_is_named():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_mistyped(["books", None, "garden"], ["books"])
    with pytest.warns(UserWarning, match="`fit` had the domain 'books'; .* for the new 'Books'"):
        warn_of_mistyped(["Books"], ["books", "films"])


@pytest.mark.parametrize("of", ["a b", {"a": 1}, [["a", "b"], ["c", "d"]]])
def test_a_column_by_name_is_one_column(of):
    with pytest.raises(InputError, match="`texts`: must be a list, one value for each text"):
        text_columns({"text": of})


def test_sparse_data_are_no_texts():
    with pytest.raises(InputError, match="sparse data are not supported"):
        text_columns(csr_array(np.eye(3)))


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (["b", "a", "b"], ["a", "b"]),
        (np.array(["b", "a"], dtype=object), ["a", "b"]),
        (pd.Series(["b", "a"], dtype="string"), ["a", "b"]),
        (pd.Series(["b", "a"], dtype="category"), ["a", "b"]),
        (pa.array(["b", "a"]), ["a", "b"]),
        ((text for text in "ba"), ["a", "b"]),
        ([True, False], [False, True]),
        (pd.Series([True, False], dtype="boolean"), [False, True]),
        (np.array([2.0, 1.0], dtype=np.float32), [1, 2]),
        (np.array([2, 1], dtype=np.uint8), [1, 2]),
        # Beyond what a float, by which scikit-learn reads this type, tells apart.
        (pd.Series([2**53 + 1, 2**53], dtype="Int64"), [2**53, 2**53 + 1]),
    ],
)
def test_labels_come_in_many_types(y, classes):
    labels = class_labels(y)
    assert classes_of(labels).tolist() == classes
    assert labels[:2].tolist() == classes[::-1]


def test_labels_keep_their_type():
    for dtype in (np.uint8, np.int64, bool, "U3"):
        assert class_labels(np.array([0, 1], dtype=dtype)).dtype == np.dtype(dtype)


def test_labels_in_a_column_are_warned_of():
    with pytest.warns(DataConversionWarning):
        assert class_labels(np.array([[1], [0]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "`y`: requires y"),
        ("yes", "`y`: must be a list"),
        (np.eye(2), r"`y`: .* of shape \(2, 2\); of one-hot rows give their argmax"),
        ([[1, 0], [0, 1]], "of one-hot rows give their argmax"),
        (pd.get_dummies(pd.Series(["a", "b"])), "of one-hot rows give their argmax"),
        (["a", None, "b"], r"`y\[1\]`: is empty"),
        (["a", float("nan"), "b"], r"`y\[1\]`: is empty"),
        (pd.Series(["a", pd.NA, "b"], dtype="string"), r"`y\[1\]`: is empty"),
        (pd.Series([1, pd.NA], dtype="Int64"), r"`y\[1\]`: is empty"),
        (np.array([1.0, np.nan]), r"`y\[1\]`: is empty"),
        (np.ma.array([1, 2], mask=[False, True]), r"`y\[1\]`: is empty"),
        ([1.0, np.inf], r"`y\[1\]`: must be text or a finite number"),
        ([b"a", b"b"], r"`y\[0\]`: must be text or a finite number. Received: a bytes"),
        (pd.to_datetime(["2020-01-01", "2021-01-01"]), r"`y\[0\]`: must be text or a finite"),
        ([1, "a"], "`y`: must be all text or all numbers. Received: 'a' and 1"),
        ([0.1, 0.2], "Unknown label type"),
    ],
)
def test_what_are_no_labels_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        class_labels(y)


def test_a_corpus_gets_the_classes_in_the_order_of_scikit_learn():
    corpus = labelled({"text": TEXTS, "label": ["9", "10", "9"], "domain": DOMAINS})
    assert (corpus.labels, corpus.codes("label").tolist()) == (("9", "10"), [0, 1, 0])
    ordered = with_classes(corpus, np.array(["10", "9"]))
    assert (ordered.labels, ordered.codes("label").tolist()) == (("10", "9"), [1, 0, 1])
    assert ordered.table["text"].to_pylist() == TEXTS


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a"] * 3, "a classifier needs two classes or more. Received: 'a'"),
        ([], "a classifier needs two classes or more. Received: none"),
        (["yes", "yes ", "no"], "differ only by white space .* Received: 'no', 'yes', 'yes '"),
    ],
)
def test_classes_are_two_or_more_with_names_of_their_own(y, message):
    with pytest.raises(InputError, match=message):
        classes_of(np.array(y))


@pytest.mark.parametrize(
    "y",
    [
        [1, -1, 0, -1],
        np.array([1, -1, 0, -1]),
        [1, None, 0, np.nan],
        ["yes", None, "no", -1],
        pd.Series(["yes", None, "no", None]),
        pd.array([1, None, 0, -1], dtype="Int64"),
        np.array([1, np.nan, 0, -1]),
    ],
    ids=repr,
)
def test_texts_without_a_label_are_marked_as_in_scikit_learn(y):
    places = places_with_labels(y)
    assert places.tolist() == [True, False, True, False]
    labels = class_labels(y, places)
    assert labels.tolist() in ([1, 0], ["yes", "no"])


def test_a_label_that_is_none_keeps_its_place_in_the_error():
    y = [None, "yes", -1, "", "no"]
    assert places_with_labels(y).tolist() == [False, True, False, True, True]
    with pytest.raises(InputError, match=r"y\[3\]"):
        class_labels(y, places_with_labels(y))
    with pytest.raises(InputError, match="requires y"):
        places_with_labels(None)
