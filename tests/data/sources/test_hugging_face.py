"""Data sets of Hugging Face, here from folders made by `save_to_disk`, are checked as files are."""

import json
import sys

import numpy as np
import pytest

from easymft.config import Columns, DataConfig
from easymft.data.sources import hugging_face
from easymft.data.sources.load import load_corpus
from easymft.errors import InputError
from easymft.init import init_recipe, recipe_of

datasets = pytest.importorskip("datasets")
pytestmark = pytest.mark.long

CLASSES = datasets.ClassLabel(names=["bad", "good"])


def split(texts, labels, domains, **others):
    features = {"label": CLASSES} if all(isinstance(label, int) for label in labels) else {}
    data = datasets.Dataset.from_dict({"text": texts, "label": labels, "domain": domains, **others})
    return data.cast_column("label", features["label"]) if features else data


def read(folder, **settings):
    return load_corpus(DataConfig(source=f"hf:{folder}", **settings))


def test_splits_classes_and_ids(tmp_path):
    data = datasets.DatasetDict(
        train=split(["fine", "dull"], [1, 0], ["books", "dvd"]),
        validation=split(["so so"], [0], ["dvd"]),
        unsupervised=split(["who knows"], [-1], ["dvd"]),
    )
    data.save_to_disk(tmp_path / "reviews")
    corpus = read(tmp_path / "reviews")
    assert corpus.labels == ("bad", "good")
    assert corpus.domains == ("books", "dvd")
    assert corpus.table["text"].to_pylist() == ["fine", "dull", "so so", "who knows"]
    assert corpus.codes("label").tolist() == [1, 0, 0, -1]
    assert corpus.table["split"].to_pylist() == ["train", "train", "dev", "unlabeled"]
    ids = ["train/0", "train/1", "validation/0", "unsupervised/0"]
    assert corpus.table["id"].to_pylist() == ids
    assert corpus.name == "reviews"


@pytest.mark.parametrize("as_dict", [True, False])
def test_a_lone_split_is_to_be_cut_and_rows_that_were_chosen_keep_their_order(tmp_path, as_dict):
    data = split(["a b", "c d", "e f"], [0, 1, 1], ["x", "y", "x"]).select([2, 0])
    (datasets.DatasetDict(train=data) if as_dict else data).save_to_disk(tmp_path / "one")
    corpus = read(tmp_path / "one")
    assert corpus.table["text"].to_pylist() == ["e f", "a b"]
    assert corpus.codes("label").tolist() == [1, 0]
    assert "split" not in corpus.table.column_names


def test_features_inside_others_go_by_their_path_and_numbers_by_their_own_precision(tmp_path):
    features = datasets.Features(
        {
            "review": {"body": datasets.Value("string")},
            "stars": datasets.Value("float32"),
            "shop": datasets.Value("int64"),
        }
    )
    rows = {"review": [{"body": "fine"}], "stars": [np.float32(0.1)], "shop": [7]}
    datasets.Dataset.from_dict(rows, features).save_to_disk(tmp_path / "nested")
    columns = Columns(text="review.body", label="stars", domain="shop")
    corpus = read(tmp_path / "nested", columns=columns)
    assert corpus.table["text"].to_pylist() == ["fine"]
    assert (corpus.labels, corpus.domains) == (("0.1",), ("7",))


def test_faulty_rows_are_named_by_split_and_place_or_skipped(tmp_path):
    data = split(["fine", None, " ", "good"], [1, 0, 0, -1], ["x"] * 4)
    data.save_to_disk(tmp_path / "faulty")
    with pytest.raises(InputError) as error:
        read(tmp_path / "faulty")
    told = str(error.value)
    place = f"hf:{tmp_path}/faulty/all"
    assert f"{place}:2: `text`: is missing" in told
    assert f"{place}:3: `text`: is empty" in told
    assert f"{place}:4: `label`: is empty; every text needs one" in told
    corpus = read(tmp_path / "faulty", on_bad_row="skip")
    assert corpus.table["text"].to_pylist() == ["fine"]
    assert corpus.skipped == 3


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": "txt"}, r"has no feature 'txt'; features: .*did you mean 'text'"),
        ({"label": "tags"}, "feature 'tags' of .* must hold text or numbers. Received: list"),
        ({"text": "label"}, "feature 'label' of .* must hold text. Received: int64"),
    ],
)
def test_features_that_cannot_be_used(tmp_path, columns, message):
    data = split(["fine"], [1], ["x"], tags=[["a", "b"]])
    data.save_to_disk(tmp_path / "data")
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path / "data", columns=Columns(**columns))
    assert f"data.columns.{next(iter(columns))}" in str(error.value)


def test_what_cannot_be_loaded_ends_in_a_line(tmp_path, monkeypatch):
    (tmp_path / "texts.csv").write_text("text,label,domain\n")
    with pytest.raises(InputError, match="was not made by `save_to_disk`; name its files"):
        read(tmp_path)
    split(["fine"], [1], ["x"]).save_to_disk(tmp_path / "data")
    for file in (tmp_path / "data").glob("*.arrow"):
        file.write_bytes(b"no arrow")
    with pytest.raises(InputError, match=r"`data.source`: the data set '.*' cannot be loaded \("):
        read(tmp_path / "data")
    asked = []

    def load_dataset(path, config):
        asked.append((path, config))
        raise ConnectionError("no network\nat all")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(InputError, match=r"'owner/name:de' .*ConnectionError: no network\)$"):
        read("owner/name:de")
    assert asked == [("owner/name", "de")]
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r'pip install "easymft\[hf\]"'):
        hugging_face.open_splits("owner/name")


def test_a_recipe_is_written_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["works like a charm", "broke after one week", "never again will I buy it"]
    count = 24
    data = datasets.DatasetDict(
        train=split(
            [f"{words[i % 3]} number {i}" for i in range(count)],
            [i % 2 for i in range(count)],
            ["books" if i % 4 < 2 else "dvd" for i in range(count)],
            vector=[[0.5]] * count,
        )
    )
    data.save_to_disk("reviews")
    lines = init_recipe("hf:reviews")
    assert lines[0] == "Wrote reviews.json."
    assert any("label" in line and "2 values: " in line and "good" in line for line in lines)
    recipe = json.loads((tmp_path / "reviews.json").read_text())
    assert recipe["data"]["source"] == "hf:reviews"
    assert recipe["data"]["columns"] == {"text": "text", "label": "label", "domain": "domain"}
    corpus = load_corpus(DataConfig(**recipe["data"]))
    assert len(corpus) == count
    assert recipe_of("hf:reviews").name == "reviews.json"
    with pytest.raises(InputError, match="is for other data than hf:other/reviews"):
        recipe_of("hf:other/reviews")
