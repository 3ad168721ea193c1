"""One name for one thing: values of every library, and what stands for nothing."""

import datetime
import enum
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from easymft.data.corpus.rows import is_missing, row_faults, to_name

Domain = enum.Enum("Domain", {"BOOKS": "books"}, type=str)
ALIKE = {
    "3": [
        *(3, 3.0, "3", " 3\n", "3.0", Decimal("3.00"), Fraction(6, 2)),
        *(kind(3) for kind in (np.int8, np.uint64, np.float16, np.float32, np.longdouble)),
        pd.Series([3, None], dtype="Int64")[0],
        pd.Series([3, None])[0],
    ],
    "-1": [-1, -1.0, "-1.0", np.int64(-1)],
    "0": [0, -0.0, "-0.0", np.float32(-0.0)],
    "0.1": [0.1, "0.1", np.float16(0.1), np.float32(0.1), np.float64(0.1), Decimal("0.10")],
    "1073741824": [2**30, np.float32(2**30), float(2**30)],
    "true": [True, np.True_, "true", "True", "TRUE", pd.array([True], dtype="boolean")[0]],
    "false": [False, np.False_, "False"],
    "books": ["books", " books", "books\t", "\u2003books\u00a0", np.str_("books"), Domain.BOOKS],
    "café": ["caf\u00e9", "cafe\u0301"],
    "a b": ["a b", " a b "],
}
NOTHING = [
    *(None, "", "  ", "\u3000", float("nan"), np.float32("nan"), Decimal("nan"), np.ma.masked),
    *(pd.NA, pd.NaT, np.datetime64("NaT")),
]


@pytest.mark.parametrize("name", ALIKE)
def test_one_thing_has_one_name(name):
    assert [to_name(value) for value in ALIKE[name]] == [name] * len(ALIKE[name])
    assert all(type(to_name(value)) is str for value in ALIKE[name])
    assert not any(map(is_missing, ALIKE[name]))


@pytest.mark.parametrize(
    "text", ["01", "1.00", "1.50", "1e3", "+1", "01.0", "Books", "nan", "tRUE"]
)
def test_other_texts_are_kept_as_written(text):
    assert to_name(text) == text


@pytest.mark.parametrize("value", NOTHING, ids=repr)
def test_nothing_has_no_name(value):
    assert is_missing(value)
    assert to_name(value) is None
    assert row_faults({"label": value}) == [("label", "is empty; every text needs one")]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (float("inf"), "inf"),
        (np.float32("-inf"), "-inf"),
        (b"books", "a bytes"),
        (np.bytes_(b"3"), "a bytes_"),
        ([1], "a list"),
        (np.array([1, 2]), "a ndarray"),
        (1j, "a complex"),
        (np.timedelta64(3, "D"), "a timedelta64"),
        (datetime.date(2020, 1, 1), "a date"),
        pytest.param(10**5000, "a int", id="a number of 5,000 digits"),
    ],
)
def test_what_is_neither_text_nor_number_is_refused(value, found):
    assert to_name(value) is None
    ((role, fault),) = row_faults({"domain": value})
    assert role == "domain"
    assert fault.startswith("must be text or a finite number. Received: ")
    assert found in fault


@pytest.mark.parametrize("value", NOTHING, ids=repr)
def test_a_text_that_is_nothing_is_refused(value):
    ((role, fault),) = row_faults({"text": value})
    assert role == "text"
    assert fault in ("is missing", "is empty")


@given(st.text() | st.integers() | st.floats() | st.booleans())
def test_a_name_is_the_name_of_itself(value):
    name = to_name(value)
    assert name is None or to_name(name) == name


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_float32_is_named_as_its_text(value):
    assert float(to_name(np.float32(value))) == pytest.approx(value, rel=1e-6)
    shortest = to_name(float(str(np.float32(value))))
    assert to_name(np.float32(value)) in (shortest, str(int(value)))
