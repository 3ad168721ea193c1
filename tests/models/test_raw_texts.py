"""Every container that a Keras user has texts in."""

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from easymft.errors import InputError
from easymft.models.raw_texts import is_raw, read

TEXTS, DOMAINS, LABELS = ["good", "café", "bad"], ["b", "d", "b"], [1, 0, 1]
COLUMNS = {"text": TEXTS, "domain": DOMAINS}
TOKENS = {"token_ids": np.zeros((3, 4)), "padding_mask": np.ones((3, 4))}

BARE = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "numpy": np.array(TEXTS),
    "objects": np.array(TEXTS, object),
    "bytes": np.array([text.encode() for text in TEXTS]),
    "column": np.array(TEXTS)[:, None],
    "pandas": pd.Series(TEXTS, index=[5, 6, 7]),
    "polars": pl.Series(TEXTS),
    "arrow": pa.array(TEXTS),
}
NAMED = {
    "dict": COLUMNS,
    "numpy": {name: np.array(values) for name, values in COLUMNS.items()},
    "pandas": pd.DataFrame({**COLUMNS, "stars": [5, 4, 1]}),
    "polars": pl.DataFrame(COLUMNS),
    "arrow": pa.table(COLUMNS),
}


class Sequence(keras.utils.PyDataset):
    """Batches of two texts and of one."""

    def __init__(self, *columns):
        super().__init__()
        self.columns = columns

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = slice(2 * index, 2 * index + 2)
        return tuple(keras.tree.map_structure(lambda column: column[rows], self.columns))


@pytest.mark.parametrize("x", BARE.values(), ids=BARE)
def test_texts_alone(x):
    assert is_raw(x)
    given = read(x, np.array(LABELS), [0.5, 1, 2])
    assert given.columns == {"text": TEXTS}
    assert given.labels == LABELS
    assert given.weights.tolist() == [0.5, 1, 2]


def test_a_data_set_of_hugging_face_and_what_was_not_read_yet():
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict(COLUMNS)
    assert is_raw(data)
    assert read(data, data["domain"]).columns == COLUMNS
    assert read(data["text"]).columns == {"text": TEXTS}
    with pytest.raises(InputError, match=r"give what `collect\(\)` of the LazyFrame has"):
        read(pl.DataFrame(COLUMNS).lazy())


@pytest.mark.parametrize("x", NAMED.values(), ids=NAMED)
def test_columns_by_name(x):
    assert is_raw(x)
    assert read(x).columns == COLUMNS


def test_pairs_as_keras_hub_has_them_and_by_name():
    for x in ((TEXTS, DOMAINS), {"text": TEXTS, "text_pair": DOMAINS}):
        assert is_raw(x)
        assert read(x).columns == {"text": TEXTS, "text_pair": DOMAINS}
    assert read(("a text", "another")).columns == {"text": ["a text", "another"]}


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("named", [False, True])
def test_tf_data(named, batch):
    tf = pytest.importorskip("tensorflow")
    x = COLUMNS if named else TEXTS
    dataset = tf.data.Dataset.from_tensor_slices((x, LABELS, [0.5, 1.0, 2.0]))
    dataset = dataset if batch is None else dataset.batch(batch)
    assert is_raw(dataset)
    given = read(dataset)
    assert given.columns == (COLUMNS if named else {"text": TEXTS})
    assert (given.labels, given.weights.tolist()) == (LABELS, [0.5, 1, 2])
    assert given.batch_size == batch
    assert read(tf.data.Dataset.from_tensor_slices(TEXTS)).labels is None


def test_py_dataset():
    dataset = Sequence({name: np.array(v) for name, v in COLUMNS.items()}, np.array(LABELS))
    assert is_raw(dataset)
    given = read(dataset)
    assert (given.columns, given.labels, given.batch_size) == (COLUMNS, LABELS, 2)


def test_token_ids_are_no_texts():
    tf = pytest.importorskip("tensorflow")
    assert not is_raw(TOKENS)
    assert not is_raw(tf.data.Dataset.from_tensor_slices((TOKENS, LABELS)).batch(2))
    assert not is_raw(Sequence(TOKENS, np.array(LABELS)))
    assert not is_raw(iter([TOKENS]))
    assert not is_raw(None)


def test_the_last_texts_are_split_off():
    given, held_out = read(COLUMNS, LABELS, [1, 2, 3]).split(0.3)
    assert given.columns == {"text": TEXTS[:2], "domain": DOMAINS[:2]}
    assert (held_out.labels, held_out.weights.tolist()) == ([1], [3])


@pytest.mark.parametrize(
    ("x", "y", "weight", "message"),
    [
        ("one text", None, None, "`x`: must be a list"),
        ({"texts": TEXTS}, None, None, "`x`: must have the columns text"),
        ({**COLUMNS, "domains": DOMAINS}, None, None, "'domains'"),
        (TEXTS, [1, 0], None, "`y`: must have one value for each of the 3 texts. Received: 2"),
        (TEXTS, np.eye(3), None, "argmax"),
        (TEXTS, LABELS, [1, 2, np.nan], "`sample_weight`: must be finite"),
        (Sequence(np.array(TEXTS), np.array(LABELS)), LABELS, None, "`y`: must come from"),
    ],
)
def test_what_cannot_be_read(x, y, weight, message):
    with pytest.raises(InputError, match=message):
        read(x, y, weight)


def test_a_dataset_without_end_is_refused():
    tf = pytest.importorskip("tensorflow")
    with pytest.raises(InputError, match="leave out `repeat"):
        read(tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).repeat())
    with pytest.raises(InputError, match="at least one text"):
        read(tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).take(0))
    with pytest.raises(InputError, match="on both sides"):
        read(TEXTS, LABELS).split(0.9)
