import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from easymft.errors import InputError
from easymft.in_memory.estimator_input import class_labels, text_columns

TEXTS, DOMAINS = ["a b", "c", "d"], ["x", "y", "x"]
ROWS = list(zip(TEXTS, DOMAINS, strict=True))
FRAME = pd.DataFrame({"domain": DOMAINS, "other": [1, 2, 3], "text": TEXTS})


@pytest.mark.parametrize(
    "shape", [ROWS, np.array(ROWS), np.array(ROWS, dtype=object), FRAME, FRAME[["text", "domain"]]]
)
def test_texts_with_domains_come_in_many_shapes(shape):
    assert text_columns(shape) == {"text": TEXTS, "domain": DOMAINS}


@pytest.mark.parametrize(
    "shape",
    [
        *(TEXTS, tuple(TEXTS), np.array(TEXTS), pd.Series(TEXTS), [[text] for text in TEXTS]),
        *(FRAME[["text"]], FRAME[["text", "other"]]),
    ],
)
def test_so_do_texts_alone(shape):
    assert text_columns(shape) == {"text": TEXTS}


def test_pairs_come_in_a_frame():
    frame = FRAME.rename(columns={"other": "text_pair"})
    assert text_columns(frame) == {"text": TEXTS, "text_pair": [1, 2, 3], "domain": DOMAINS}


def test_a_frame_without_the_names_goes_by_position():
    assert text_columns(pd.DataFrame(ROWS)) == {"text": TEXTS, "domain": DOMAINS}


@pytest.mark.parametrize("shape", ["a text", 5, np.zeros((3, 3)), np.zeros((2, 2, 2)), FRAME[[]]])
def test_anything_else_is_refused(shape):
    with pytest.raises(InputError, match="`X`: must be a list of texts, rows of text and domain"):
        text_columns(shape)


def test_sparse_data_are_no_texts():
    with pytest.raises(InputError, match="sparse data are not supported"):
        text_columns(csr_array(np.eye(3)))


def test_labels_are_flat_and_finite():
    assert class_labels(["a", "b"]).tolist() == ["a", "b"]
    for wrong in (None, [[1, 2], [3, 4]], [1.0, np.nan], [0.1, 0.2]):
        with pytest.raises(ValueError):  # noqa: PT011 (the words are scikit-learn's)
            class_labels(wrong)
