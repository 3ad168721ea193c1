import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from easymft.data.corpus.rows import to_name
from easymft.data.corpus.values import flat_values
from easymft.errors import InputError


@pytest.mark.parametrize(
    "values",
    [
        [3, 1],
        (3, 1),
        iter([3, 1]),
        range(3, 0, -2),
        *(np.array([3, 1], dtype) for dtype in (np.int8, np.uint64, np.float16, np.float32)),
        np.array([3, 1], dtype=object),
        np.array([[3], [1]]),
        *(pd.Series([3, 1], dtype=dtype) for dtype in ("int8", "Int64", "float32", "Float64")),
        pd.Series([3, 1], dtype="category"),
        pd.Series([3, 1], dtype="int64[pyarrow]"),
        pd.Index([3, 1]),
        pa.array([3, 1]),
        pa.chunked_array([[3], [1]]),
        ["3", "1"],
        np.array(["3", "1"]),
        pd.Series(["3", "1"], dtype="string"),
    ],
    ids=lambda values: str(getattr(values, "dtype", type(values).__name__)),
)
def test_a_number_has_one_name_in_any_container(values):
    assert list(map(to_name, flat_values("domains", values))) == ["3", "1"]


@pytest.mark.parametrize(
    "values",
    [
        [0.1],
        [np.float32(0.1)],
        np.array([0.1], np.float32),
        pd.Series([0.1], dtype="float32"),
        pd.Series([0.1], dtype="Float32"),
        np.array([0.1]),
    ],
)
def test_a_fraction_keeps_the_name_of_its_own_precision(values):
    assert list(map(to_name, flat_values("domains", values))) == ["0.1"]


@pytest.mark.parametrize("values", ["text", b"text", {"a": 1}, {"a"}, 5, None, np.zeros((2, 2))])
def test_what_is_no_column_is_refused(values):
    with pytest.raises(InputError, match="`domains`: must be a list, one value for each text"):
        flat_values("domains", values)
