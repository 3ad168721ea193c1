"""Texts without labels, wherever they come from: read, counted, and kept out of everything else."""

import json

import numpy as np
import pytest

from easymft.config import DataConfig
from easymft.data.corpus.intake import Intake
from easymft.data.corpus.leaks import drop_leaks
from easymft.data.corpus.schema import limit_per_domain
from easymft.data.corpus.splits import make_splits
from easymft.data.corpus.validation import validate
from easymft.data.sources import amazon_reviews
from easymft.data.sources.own_files import read_files
from easymft.errors import InputError

ROWS = [
    {"text": f"{domain} {label} {number}", "label": label, "domain": domain}
    for domain in ("a", "b")
    for label in ("no", "yes")
    for number in range(10)
]
BARE = [{"text": f"bare {number}", "domain": "abc"[number % 3]} for number in range(6)]


def write(path, rows):
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


def cut(corpus, **settings):
    given = None if corpus.given_splits() is None else corpus.table["split"].to_pylist()
    split = DataConfig.model_validate({"split": {"dev": 0.2, "test": 0.2, **settings}}).split
    names = {"domain_names": corpus.domains, "label_names": corpus.labels}
    codes = (corpus.codes("label"), corpus.codes("domain"))
    ids = corpus.table["id"].to_pylist()
    return make_splits(*codes, ids, split, 1, given=given, **names)


@pytest.fixture
def data(tmp_path):
    files = {"all": write(tmp_path / "all.jsonl", ROWS)}
    files["unlabeled"] = write(
        tmp_path / "more.jsonl", [*BARE, {"text": ROWS[0]["text"]} | BARE[0]]
    )
    return DataConfig(source="files", files=files)


def test_files_without_labels_stand_beside_the_others(data, tmp_path):
    corpus = read_files(data)
    assert corpus.labels == ("no", "yes")
    assert corpus.domains == ("a", "b", "c")
    splits = cut(corpus)
    labels = corpus.codes("label")
    np.testing.assert_array_equal(splits["unlabeled"], np.flatnonzero(labels == -1))
    assert len(splits["unlabeled"]) == 7
    # The labelled texts are cut as if there were no others.
    alone = read_files(DataConfig(source="files", files={"all": data.files["all"]}))
    for part, rows in cut(alone).items():
        np.testing.assert_array_equal(splits[part], rows)
    report = validate(corpus, splits)
    assert report.problems.count == 0
    assert report.unlabeled == {"a": 3, "b": 2, "c": 2}
    assert "7 texts without labels: a 3, b 2, c 2" in report.lines()
    assert sum(row["train"] + row["dev"] + row["test"] for row in report.counts) == 40


def test_the_rest_of_few_shot_joins_them(data):
    corpus = read_files(data)
    splits = cut(corpus, few_shot={"per_class": 1, "rest": "unlabeled"})
    assert len(splits["train"]) == 4
    # 6 of 10 texts of each of four cells train without `few_shot`.
    assert len(splits["unlabeled"]) == 7 + 4 * 5


def test_a_text_that_is_tested_is_not_learned_from_without_its_label(tmp_path):
    tested = [{"text": "Bare  3", "label": "no", "domain": "a"}]
    files = {
        name: write(tmp_path / f"{name}.jsonl", rows)
        for name, rows in (("train", ROWS), ("test", tested), ("unlabeled", BARE))
    }
    corpus = read_files(DataConfig(source="files", files=files))
    splits, dropped = drop_leaks(corpus, cut(corpus))
    assert dropped["unlabeled"] == 1
    texts = corpus.table["text"].to_numpy()[splits["unlabeled"]]
    assert "bare 3" not in texts


def test_bad_rows_without_labels_are_named_too(tmp_path):
    files = {"all": write(tmp_path / "all.jsonl", ROWS)}
    files["unlabeled"] = write(tmp_path / "more.jsonl", [{"text": " ", "domain": "a"}])
    with pytest.raises(InputError, match=r"more.jsonl:1: `text`: is empty"):
        read_files(DataConfig(source="files", files=files))


def test_labels_are_needed_somewhere(tmp_path):
    files = {"unlabeled": write(tmp_path / "more.jsonl", BARE)}
    with pytest.raises(InputError, match="name either `all`, or `train`"):
        read_files(DataConfig(source="files", files=files))


def test_limits_count_them_as_a_class_of_their_own(data):
    few = limit_per_domain(read_files(data), 6)
    assert np.bincount(few.codes("domain")).tolist() == [6, 6, 2]
    assert -1 in few.codes("label")


def test_a_column_may_say_which_rows_have_no_label():
    intake = Intake()
    for number, row in enumerate(ROWS):
        intake.add({**row, "split": "train"}, id=str(number))
    intake.add({"text": "t", "label": "", "domain": "a", "split": "unlabeled"}, id="x")
    corpus = intake.finish("n", "o")
    assert corpus.codes("label")[-1] == -1
    assert corpus.labels == ("no", "yes")


def test_unlabeled_reviews_are_read_where_they_lie(tmp_path):
    review = (
        "<review>\n<unique_id>\n1\n</unique_id>\n<rating>\n5.0\n</rating>\n<title>\nt\n</title>\n"
        "<review_text>\n{}\n</review_text>\n</review>\n"
    )
    for inside in amazon_reviews.DOMAINS.values():
        (tmp_path / inside).mkdir()
        for label in amazon_reviews.LABELS:
            path = tmp_path / inside / f"{label}.review"
            path.write_text(review.format(f"{label} {inside}"))
    (tmp_path / "dvd" / "unlabeled.review").write_text(review.format("one") + review.format("two"))
    corpus = amazon_reviews.read_folder(tmp_path)
    bare = corpus.take(np.flatnonzero(corpus.codes("label") == -1)).table
    assert bare["id"].to_pylist() == ["dvd/unlabeled/0", "dvd/unlabeled/1"]
    assert bare["text"].to_pylist() == ["one", "two"]
    assert corpus.labels == ("negative", "positive")
