"""Any TFDS data set: its features by path, its rows through the same checks as a file's."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from easymft.config import Columns, DataConfig
from easymft.data.sources.load import load_corpus
from easymft.data.sources.tfds_source import read_tfds
from easymft.errors import InputError, InputErrors
from tests.data.sources.tfds_data_sets import write_tfds

F = tfds.features
PLAIN = {"text": F.Text(), "label": F.Text(), "domain": F.Text()}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))  # read at its import
    return tmp_path


def rows(count=4, **more):
    """Texts of two classes and two domains; `more` holds a value, or a value for each, by key."""
    made = [
        {"text": f"number {n}", "label": "ab"[n % 2], "domain": "xy"[n // 2 % 2]}
        for n in range(count)
    ]
    for key, values in more.items():
        for n, row in enumerate(made):
            row[key] = values[n] if isinstance(values, list) else values
    return made


def by_text(corpus, column):
    """The values of a column in the order of the texts, which TFDS shuffles when it writes."""
    names = {"label": corpus.labels, "domain": corpus.domains}.get(column)
    ordered = sorted(corpus.table.to_pylist(), key=lambda row: row["text"])
    return [names[row[column]] if names else row[column] for row in ordered]


@pytest.mark.long
@pytest.mark.parametrize(
    ("features", "change", "field"),
    [
        ({"label": np.float32}, {"label": [1.0, 0.0, np.nan, 0.0]}, "label"),
        ({}, {"domain": ["x", "y", "", "y"]}, "domain"),
        ({}, {"text": ["one", "two", " ", "four"]}, "text"),
        ({}, {"text": ["one", "two", b"\xff\xfe", "four"]}, "text"),
    ],
    ids=["nan", "domain", "text", "no utf-8"],
)
def test_rows_are_checked_as_those_of_files(folder, features, change, field):
    write_tfds(folder, "checked_set", {**PLAIN, **features}, {"train": rows(**change)})
    with pytest.raises(InputError, match=rf"^tfds:checked_set/train:[1-4]: `{field}`: ") as caught:
        load_corpus(DataConfig(source="tfds:checked_set"))
    line = caught.value.line
    corpus = load_corpus(DataConfig(source="tfds:checked_set", on_bad_row="skip"))
    assert corpus.table["line"].to_pylist() == [n for n in range(1, 5) if n != line]
    assert f"first: tfds:checked_set/train:{line}: `{field}`" in corpus.notes[-1]


@pytest.mark.long
@pytest.mark.parametrize("names", [{"names": ["a", "b"]}, {"num_classes": 2}])
def test_training_texts_may_have_no_label_and_others_must(folder, names):
    features = {**PLAIN, "label": F.ClassLabel(**names)}
    bare = rows(label=[0, 1, -1, 1])
    write_tfds(folder, "bare_set", features, {"train": bare})
    corpus = load_corpus(DataConfig(source="tfds:bare_set"))
    assert sorted(corpus.codes("label").tolist()) == [-1, 0, 1, 1]
    assert corpus.given_splits() is None
    write_tfds(folder, "tested_set", features, {"train": rows(label=[0, 1, 0, 1]), "test": bare})
    with pytest.raises(InputError, match=r"^tfds:tested_set/test:[1-4]: `label`: is empty"):
        load_corpus(DataConfig(source="tfds:tested_set"))


def test_numbers_and_truth_are_named_as_everywhere(folder):
    features = {"text": F.Text(), "label": np.bool_, "domain": np.float32}
    data = rows(label=[True, False, True, False], domain=[3.0, 0.1, 0.1, 3.0])
    write_tfds(folder, "number_set", features, {"train": data})
    corpus = read_tfds("number_set", Columns())
    assert by_text(corpus, "label") == ["true", "false", "true", "false"]
    assert by_text(corpus, "domain") == ["3", "0.1", "0.1", "3"]


def test_a_feature_within_another_goes_by_its_path(folder):
    inner = F.FeaturesDict({"body": F.Text(), "stars": np.int32})
    data = [{"data": {"body": f"number {n}", "stars": n % 2}, "kind": "x"} for n in range(4)]
    write_tfds(folder, "nested_set", {"data": inner, "kind": F.Text()}, {"train": data})
    corpus = read_tfds("nested_set", Columns(text="data/body", label="data/stars", domain="kind"))
    assert by_text(corpus, "text") == [f"number {n}" for n in range(4)]
    assert by_text(corpus, "label") == ["0", "1", "0", "1"]
    with pytest.raises(
        InputError, match=r"no feature 'body'; features: 'data/body', 'data/st"
    ) as e:
        read_tfds("nested_set", Columns(text="body", label="data/stars", domain="kind"))
    assert e.value.field == "data.columns.text"


@pytest.mark.parametrize(
    "feature",
    [F.Sequence(F.Text()), F.Sequence({"name": F.Text()}), F.Tensor(shape=(2,), dtype=np.int64)],
)
def test_a_feature_of_several_values_is_refused_in_one_line(folder, feature):
    value = {"name": ["a"]} if "name" in str(feature) else ["a"]
    value = np.array([1, 2]) if isinstance(feature, F.Tensor) else value
    write_tfds(folder, "several_set", {**PLAIN, "tags": feature}, {"train": rows(tags=[value] * 4)})
    names = ["tags", "tags/name"]
    with pytest.raises(InputError, match=r"data\.columns\.label.*tags") as caught:
        read_tfds("several_set", Columns(label=names["name" in str(feature)]))
    assert "\n" not in str(caught.value)


@pytest.mark.long
def test_split_and_weight_are_features_too(folder):
    features = {**PLAIN, "part": F.Text(), "w": np.float32}
    data = rows(part=["train", "train", "validation", "test"], w=[0.5, 0.25, np.nan, np.nan])
    write_tfds(folder, "split_set", features, {"train": data})
    corpus = read_tfds("split_set", Columns(split="part", weight="w"))
    assert by_text(corpus, "split") == ["train", "train", "dev", "test"]
    assert by_text(corpus, "typicality") == [0.5, 0.25, None, None]
    data[0]["w"] = np.nan
    write_tfds(folder, "unweighted_set", features, {"train": data})
    with pytest.raises(InputError, match="`w`: must be a finite number"):
        read_tfds("unweighted_set", Columns(split="part", weight="w"))


@pytest.mark.long
def test_splits_of_the_data_set_are_ours_and_ids_stay_what_they_were(folder):
    parts = {"train": rows(4), "validation": rows(2), "unsupervised": rows(1), "extra": rows(1)}
    write_tfds(folder, "cut_set", PLAIN, parts)
    corpus = read_tfds("cut_set", Columns())
    assert corpus.table["id"].to_pylist() == [
        *("train/0", "train/1", "train/2", "train/3"),
        *("validation/4", "validation/5", "unsupervised/6"),
    ]
    assert corpus.table["split"].to_pylist() == ["train"] * 4 + ["dev"] * 2 + ["unlabeled"]
    assert corpus.codes("label")[-1] == -1
    assert corpus.notes == ("split 'extra' of the data set left out",)


def test_several_bad_rows_are_named_in_one_pass(folder):
    write_tfds(folder, "bad_set", PLAIN, {"train": rows(domain="", text=["a", "", "b", "c"])})
    with pytest.raises(InputErrors) as caught:
        read_tfds("bad_set", Columns())
    assert caught.value.count == 5
