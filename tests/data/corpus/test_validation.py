import json

import numpy as np
import pytest

from easymft.data.corpus.corpus_builder import CorpusBuilder
from easymft.data.corpus.validation import drop_leaks, validate
from easymft.errors import InputError, InputErrors


def corpus(texts, labels, domains, pairs=None, file=None):
    columns = {
        "id": [f"id{n}" for n in range(len(texts))],
        "text": texts,
        "label": list(labels),
        "domain": list(domains),
    }
    if pairs is not None:
        columns["text_pair"] = pairs
    if file is not None:
        columns |= {"file": [file] * len(texts), "line": list(range(2, len(texts) + 2))}
    builder = CorpusBuilder()
    builder.add(columns)
    return builder.finish(name="n", origin="o")


def cut(**splits):
    empty = {"train": [], "dev": [], "test": []}
    return {name: np.array(rows, int) for name, rows in {**empty, **splits}.items()}


def full(count=6):
    """Two domains, two classes, `count` texts in each cell, by cell in order."""
    cells = [(d, c) for d in "xy" for c in "ab"]
    texts = [f"{d} {c} number {n}" for d, c in cells for n in range(count)]
    return corpus(
        texts,
        [c for _, c in cells for _ in range(count)],
        [d for d, _ in cells for _ in range(count)],
    )


def test_a_clean_corpus_has_neither_problems_nor_warnings():
    report = validate(full(), cut(train=np.arange(24)))
    report.raise_for_problems()
    assert report.problems.count == 0
    assert report.warnings == ()


def test_counts_and_lengths_are_those_of_the_splits():
    texts = ["one", "one two", "one two three", "one two\nthree  four"]
    data = corpus(texts, "abab", "xxyy")
    report = validate(data, cut(train=[0, 1, 2], test=[3]))
    assert report.counts == [
        {"domain": "x", "class": "a", "train": 1, "dev": 0, "test": 0},
        {"domain": "x", "class": "b", "train": 1, "dev": 0, "test": 0},
        {"domain": "y", "class": "a", "train": 1, "dev": 0, "test": 0},
        {"domain": "y", "class": "b", "train": 0, "dev": 0, "test": 1},
    ]
    assert report.length_unit == "words"
    assert [(row["domain"], row["min"], row["median"], row["max"]) for row in report.lengths] == [
        ("all", 1, 2.5, 4),
        ("x", 1, 1.5, 2),
        ("y", 3, 3.5, 4),
    ]
    json.dumps([report.counts, report.lengths])
    assert report.count_table().split("\n")[0].split() == [
        "domain",
        "class",
        "train",
        "dev",
        "test",
        "all",
    ]
    assert report.count_table().split("\n")[-1].split() == ["all", "all", "3", "0", "1", "4"]
    assert report.lines()[-1].startswith("warning: ")


def test_lengths_in_word_pieces_are_taken_as_given():
    report = validate(full(1), cut(train=np.arange(4)), lengths=np.array([10, 20, 30, 40]))
    assert report.length_unit == "word pieces"
    assert report.lengths[2]["max"] == 40
    assert report.length_table().startswith("word pieces")


def test_empty_texts_name_their_line():
    data = corpus(["fine", " \u00a0\n", "ok"], "aba", "xxx", file="f.csv")
    report = validate(data, cut(train=[0, 1, 2]))
    with pytest.raises(InputError, match=r"f\.csv:3: `text`: is empty"):
        report.raise_for_problems()


def test_rows_without_a_file_are_named_by_id():
    report = validate(corpus(["a", ""], "ab", "xx"), cut(train=[0, 1]))
    assert "(id 'id1')" in str(report.problems.shown[0])


def test_labels_and_domains_that_training_never_shows():
    data = corpus(
        ["a", "b", "c", "d"], ["p", "n", "odd", "p"], ["x", "x", "x", "new"], file="f.csv"
    )
    report = validate(data, cut(train=[0, 1], dev=[2], test=[3]))
    assert [problem.line for problem in report.problems.shown] == [4, 5]
    assert "label 'odd' of a dev text is in no training text" in str(report.problems.shown[0])
    assert "domain 'new' of a test text" in str(report.problems.shown[1])
    with pytest.raises(InputErrors, match="2 problems"):
        report.raise_for_problems()


def test_a_domain_left_out_on_purpose_is_known():
    data = full()
    rest, left = np.arange(12), np.arange(12, 24)
    splits = cut(train=rest, test=left[:2], left_out_train=left[2:], left_out_dev=[])
    report = validate(data, splits)
    assert report.problems.count == 0
    assert report.counts[2]["left_out_train"] == 4
    del splits["left_out_train"]
    problems = validate(data, splits).problems
    assert problems.count == 1
    assert "'y' of a test text is in no training text; 2 such texts" in str(problems.shown[0])


def test_cells():
    data = full()
    # x/a whole, x/b 4 texts, y/a tested but not trained, y/b neither.
    report = validate(data, cut(train=[*range(6), *range(6, 10)], test=[12]))
    assert report.problems.count == 1  # domain y is in no training text
    report = validate(data, cut(train=[*range(10), *range(18, 24)], test=[12, 13]))
    assert report.problems.count == 1
    assert "domain 'y', class 'a': texts in dev or test" in str(report.problems.shown[0])
    assert "id12" in str(report.problems.shown[0])
    assert report.warnings == (
        "domain 'x', class 'b': only 4 training texts; 5 make a better centroid",
        "class 'a' stands in domain 'x' only",
    )
    report = validate(data, cut(train=[*range(12), *range(18, 24)]))
    assert report.problems.count == 0
    assert report.warnings == (
        "domain 'y', class 'a': no texts",
        "class 'a' stands in domain 'x' only",
    )


def test_one_domain_only_is_a_warning():
    data = corpus([f"t{n}" for n in range(10)], "ab" * 5, "x" * 10)
    report = validate(data, cut(train=np.arange(10)))
    assert report.problems.count == 0
    assert report.warnings == ("one domain only: nothing to share between domains",)


def test_one_class_or_no_training_text_is_a_problem():
    data = corpus(["t1", "t2"], "aa", "xy")
    report = validate(data, cut(test=[0]))
    assert "two classes or more" in str(report.problems.shown[0])
    assert "no training texts" in str(report.problems.shown[1])


def test_a_pair_recipe_needs_pairs():
    data = full()
    assert validate(data, cut(train=np.arange(24))).problems.count == 0
    report = validate(data, cut(train=np.arange(24)), pair_required=True)
    assert report.problems.shown[0].field == "data.columns.text_pair"


def test_a_missing_half_of_a_pair_is_a_problem():
    data = corpus(["a", "b"], "ab", "xx", pairs=["c", None])
    report = validate(data, cut(train=[0, 1]))
    assert "`text_pair`: is empty (id 'id1')" in str(report.problems.shown[0])


def test_leaks_leave_train_then_dev():
    texts = ["in test", "In  Test", "in dev", "IN DEV ", "own", "in test\n", "in test", "in dev"]
    data = corpus(texts, "abababab", "xxxxyyyy")
    splits = cut(train=[0, 2, 4], dev=[3, 5], test=[6])
    kept, dropped = drop_leaks(data, splits)
    assert kept["train"].tolist() == [4]
    assert kept["dev"].tolist() == [3]
    assert kept["test"].tolist() == [6]
    assert dropped == 3
    assert splits["train"].tolist() == [0, 2, 4]


def test_leaks_of_pairs_need_both_texts_equal():
    data = corpus(["p", "p", "p"], "abc", "xxx", pairs=["h1", "h2", "H1 "])
    kept, dropped = drop_leaks(data, cut(train=[0, 1], test=[2]))
    assert kept["train"].tolist() == [1]
    assert dropped == 1
    joined = corpus(["a b", "a"], "ab", "xx", pairs=["c", "b c"])
    assert drop_leaks(joined, cut(train=[0], test=[1]))[1] == 0


def test_composed_and_decomposed_letters_are_one_text():
    data = corpus(["caf\u00e9", "cafe\u0301"], "ab", "xx")
    assert drop_leaks(data, cut(train=[0], test=[1]))[1] == 1


def test_leaks_of_a_left_out_domain_are_dropped_too():
    data = corpus(["s", "s", "t", "t", "u"], "ababa", "xxyyy")
    splits = cut(train=[4], test=[0], left_out_train=[1, 2], left_out_dev=[3])
    kept, dropped = drop_leaks(data, splits)
    assert kept["left_out_train"].tolist() == []
    assert kept["left_out_dev"].tolist() == [3]
    assert dropped == 2


def test_a_domain_with_the_name_of_the_meta_learner_is_a_problem():
    names = ["meta-learner", "books"] * 10
    data = corpus([f"t{n}" for n in range(20)], "ab" * 10, names)
    report = validate(data, cut(train=np.arange(20)))
    assert report.problems.count == 1
    assert report.problems.shown[0].field == "data.columns.domain"
