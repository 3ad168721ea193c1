"""Sentences from figures that are worked out by hand."""

import pytest

from easymft.compare.advice import advice, simplest_unbeaten, worth_of_labels
from easymft.compare.budget import Budget
from easymft.report.sweep import MethodFigures

CHANCE, ABOVE, BELOW = (0.01, -0.02, 0.04), (0.05, 0.02, 0.08), (-0.05, -0.08, -0.02)


def row(title, accuracy, **differences):
    named = {other.replace("_", " "): ends for other, ends in differences.items()}
    return MethodFigures(title, {1: accuracy}, {}, (accuracy, None), named)


def test_the_simplest_of_rows_that_differ_by_chance_is_taken():
    rows = {
        "tfidf": row("TF IDF", 0.80, Mix=(-0.01, -0.04, 0.02)),
        "mix": row("Mix", 0.81, TF_IDF=CHANCE),
    }
    assert simplest_unbeaten(rows) == "tfidf"
    lead, other = advice(rows, [])
    assert lead.startswith("Take `tfidf` (TF IDF), 80.0 % right on average")
    assert other == "Mix is 1.0 points above it (-2.0 to +4.0), maybe by chance."


def test_a_row_that_is_beaten_gives_way_to_the_next():
    rows = {
        "tfidf": row("TF IDF", 0.70, Mix=BELOW, MFT=BELOW),
        "mix": row("Mix", 0.75, TF_IDF=ABOVE, MFT=CHANCE),
        "mft": row("MFT", 0.74, TF_IDF=ABOVE, Mix=(-0.01, -0.04, 0.02)),
    }
    assert simplest_unbeaten(rows) == "mix"
    lead, *others = advice(rows, ["Mix, then fine-tune"])
    assert lead.startswith("Take `mix` (Mix), 75.0 %")
    assert others == [
        "TF IDF is 5.0 points below it (-8.0 to -2.0).",
        "MFT is 1.0 points below it (-4.0 to +2.0), maybe by chance.",
        "There was no time for Mix, then fine-tune; give more `--minutes`.",
    ]


def test_rows_that_beat_each_other_in_a_circle_are_told_apart_by_their_means():
    rows = {
        "a": row("A", 0.7, B=ABOVE, C=BELOW),
        "b": row("B", 0.8, C=ABOVE, A=BELOW),
        "c": row("C", 0.6, A=ABOVE, B=BELOW),
    }
    assert simplest_unbeaten(rows) == "b"


@pytest.mark.parametrize(
    ("difference", "hope"),
    [
        ((0.03, 0.01, 0.05), "as many again may buy about as much"),
        ((0.001, -0.004, 0.006), "more labels of this kind buy little"),
        ((0.01, -0.03, 0.05), "cannot be told from chance"),
    ],
)
def test_what_twice_the_labels_bought(difference, hope):
    sentence = worth_of_labels([(80, 0.70), (160, 0.72), (320, 0.75)], difference)
    assert sentence.startswith("From 160 to 320 labelled texts it gained")
    assert "to 75.0 %" in sentence
    assert hope in sentence
    assert worth_of_labels([(320, 0.75)], None) is None


def test_a_budget_counts_from_its_making():
    now = [100.0]
    budget = Budget(2, clock=lambda: now[0])
    assert budget.allows(120)
    now[0] = 190.0
    assert budget.left == 30
    assert not budget.allows(31)
