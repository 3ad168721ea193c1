import numpy as np
import pytest

from easymft.errors import InputError
from easymft.models.vocabulary import Vocabulary

NAMES = Vocabulary("y", "labels", ["bad", "good", "café"], 3)
CODES = Vocabulary("y", "labels", None, 3)


@pytest.mark.parametrize(
    "values",
    [["good", "bad"], [" good\n", "bad"], [1, 0], [np.int64(1), 0.0], [True, np.False_]],
)
def test_names_and_codes(values):
    codes = NAMES.codes(values)
    assert codes.tolist() == [1, 0]
    assert codes.dtype == np.int32


def test_accents_however_they_are_stored():
    assert NAMES.codes(["cafe\u0301"]).tolist() == [2]


def test_unknown_and_missing_ones_where_they_may_be():
    values = ["good", "new", None, float("nan"), "", 7, -1]
    assert NAMES.codes(values, unknown=True).tolist() == [1] + 6 * [-1]


@pytest.mark.parametrize(
    ("vocabulary", "values", "message"),
    [
        (NAMES, ["god"], r"`y\[0\]`: must be one of the model's `labels`.*'good'"),
        (NAMES, [1, 3], r"`y\[1\]`: must be a whole number from 0 to 2. Received: 3"),
        (NAMES, [-1], "from 0 to 2"),
        (NAMES, [0.5], "from 0 to 2. Received: 0.5"),
        (NAMES, [None], "Received: None"),
        (CODES, ["good"], "the model has no names; make it with `labels`"),
    ],
)
def test_what_is_none_of_them(vocabulary, values, message):
    with pytest.raises(InputError, match=message):
        vocabulary.codes(values)


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "a "], ["a", "b", " "], "abc", [1, 2, 3]])
def test_names_that_do_not_fit(names):
    with pytest.raises(InputError, match="`labels`: must be"):
        Vocabulary("y", "labels", names, 3)


def test_the_name_of_a_code():
    assert (NAMES.name(2), CODES.name(2)) == ("café", "2")
