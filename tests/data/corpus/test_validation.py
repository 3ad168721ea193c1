import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest

from easymft.data.corpus.leaks import drop_leaks
from easymft.data.corpus.pieces import Pieces
from easymft.data.corpus.validation import validate
from easymft.errors import InputError, InputErrors
from tests.data.corpus.small_corpus import corpus, cut, full


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


def pieces(lengths, unknown=None, **more):
    lengths = np.array(lengths)
    unknown = np.zeros_like(lengths) if unknown is None else np.array(unknown)
    settings = {"max_length": 25, "special_tokens": 2, **more}
    return Pieces(lengths, np.minimum(lengths, settings["max_length"]), unknown=unknown, **settings)


def test_lengths_in_word_pieces_are_those_before_cutting_with_the_share_that_is_cut():
    report = validate(full(1), cut(train=np.arange(4)), pieces=pieces([10, 20, 30, 40]))
    assert report.length_unit == "word pieces"
    assert [(row["domain"], row["max"], row["cut"]) for row in report.lengths] == [
        ("all", 40, 0.5),
        ("x", 20, 0.0),
        ("y", 40, 1.0),
    ]
    header, *rows = report.length_table().split("\n")
    assert header.startswith("word pieces")
    assert header.endswith("cut at 25")
    assert [row.split()[-1] for row in rows] == ["50%", "0%", "100%"]
    json.dumps([report.lengths, report.unknown_shares])


def test_estimated_lengths_are_said_to_be_estimates():
    report = validate(
        full(1), cut(train=np.arange(4)), pieces=pieces([10, 20, 30, 40], estimated=2)
    )
    assert report.length_table().endswith("lengths of 2 very long texts are estimates")


def test_of_tokens_of_an_earlier_version_nothing_is_said_to_be_cut():
    found = pieces([10, 20, 25, 25], are_whole=False)
    report = validate(full(1), cut(train=np.arange(4)), pieces=found)
    assert "cut" not in report.lengths[0]
    assert "cut at" not in report.length_table()


def test_texts_that_the_vocabulary_lacks_are_warned_of_with_their_share():
    # Of 10 texts of 10 pieces each: a tenth of domain x (not more than the threshold), half of y.
    data = corpus([f"t{n}" for n in range(20)], "ab" * 10, "x" * 10 + "y" * 10)
    found = pieces([12] * 20, [1] * 10 + [5] * 10)
    report = validate(data, cut(train=np.arange(20)), pieces=found)
    assert report.unknown_shares == {"x": 0.1, "y": 0.5}
    (warning,) = report.warnings
    assert "vocabulary lacks 50% of 'y', counted in word pieces (more than 10% is" in warning
    assert "'x'" not in warning


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


def test_a_domain_with_texts_without_labels_only_is_known_and_warned_of():
    data = full()
    rest, left = np.arange(12), np.arange(12, 24)
    report = validate(data, cut(train=rest, test=left[:2], unlabeled=left[2:]))
    assert report.problems.count == 0
    words = "no labels to learn from in domain 'y': others alone teach its classes"
    assert words in report.warnings
    assert not any("domain only" in warning for warning in report.warnings)
    # With a label of its own it is one like the others.
    report = validate(data, cut(train=np.arange(14), unlabeled=left[2:]))
    assert words not in report.warnings


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


def test_a_domain_with_the_name_of_the_meta_learner_is_a_problem():
    names = ["meta-learner", "books"] * 10
    data = corpus([f"t{n}" for n in range(20)], "ab" * 10, names)
    report = validate(data, cut(train=np.arange(20)))
    assert report.problems.count == 1
    assert report.problems.shown[0].field == "data.columns.domain"


def test_where_all_training_texts_are_repeats_the_error_says_how_many():
    data = corpus(["same"] * 10 + ["other"] * 2, "ab" * 6, "x" * 12)
    kept, dropped = drop_leaks(data, cut(train=np.arange(8), dev=[10], test=[8, 9, 11]))
    report = validate(data, kept, dropped=dropped)
    with pytest.raises(InputError) as caught:
        report.raise_for_problems()
    assert str(caught.value) == (
        "`data.split`: no training texts; 8 training texts were taken out as they stand in dev or"
        " test too"
    )
    assert report.warnings == (
        "8 of 8 train texts (100%) were taken out, as they stand in dev or test too",
        "1 of 1 dev texts (100%) were taken out, as they stand in test too",
    )


@pytest.mark.parametrize(("repeats", "warned"), [(1, False), (2, True)])
def test_many_repeats_are_warned_of(repeats, warned):
    texts = [f"t{n}" for n in range(20)]
    data = corpus([*texts, *texts[:repeats]], "ab" * 10 + "ab"[:repeats], "x" * (20 + repeats))
    splits = cut(train=np.arange(20), test=np.arange(20, 20 + repeats))
    kept, dropped = drop_leaks(data, splits)
    warnings = validate(data, kept, dropped=dropped).warnings
    # One in twenty is not more than 5 %.
    expected = "2 of 20 train texts (10%) were taken out, as they stand in dev or test too"
    assert (expected in warnings) == warned
    assert any("taken out" in warning for warning in warnings) == warned


def test_a_class_lost_as_repeats_is_said_to_be():
    data = corpus(["a", "b", "c", "c"], ["p", "n", "odd", "odd"], "xxxx")
    kept, dropped = drop_leaks(data, cut(train=[0, 1, 2], test=[3]))
    report = validate(data, kept, dropped=dropped)
    assert (
        "label 'odd' of a test text is in no training text; 1 training texts were taken out"
        in str(report.problems.shown[0])
    )


def test_many_skipped_rows_are_warned_of():
    data = dataclasses.replace(full(), skipped=8)
    report = validate(data, cut(train=np.arange(24)))
    assert report.warnings == ("8 of 32 rows (25%) were skipped, as they cannot be used",)
    few = dataclasses.replace(full(), skipped=1)
    assert validate(few, cut(train=np.arange(24))).warnings == ()


@pytest.mark.parametrize("name", ["nan", "NaN", "None", "N/A", "<NA>"])
def test_a_name_that_stands_for_a_missing_value_is_warned_of(name):
    data = corpus([f"t{n}" for n in range(20)], ["0", "1"] * 10, [name, name, "x", "x"] * 5)
    warnings = validate(data, cut(train=np.arange(20))).warnings
    assert any(f"domain {name!r} of 10 texts looks like a missing" in words for words in warnings)
    assert validate(full(), cut(train=np.arange(24))).warnings == ()


def test_a_training_text_without_its_weight_is_a_problem():
    data = full()
    weights = pa.array([0.5] * 23 + [None], pa.float32())
    data = dataclasses.replace(data, table=data.table.append_column("typicality", weights))
    assert validate(data, cut(train=np.arange(23), test=[23])).problems.count == 0
    report = validate(data, cut(train=np.arange(24)))
    assert "`weight`: 1 training texts have no weight; this is the first (id 'id23')" in str(
        report.problems.shown[0]
    )
