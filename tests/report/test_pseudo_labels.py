"""Self-training in words, tables and pictures, from facts made by hand."""

import pytest

from easymft.report import render_markdown
from easymft.report.pseudo_labels import tables, verdict
from easymft.report.sections.self_training import self_training
from tests.report.plain_results import summary

DOMAINS, LABELS = ("books", "<b>|films"), ("bad", "good")


def cells(*counts):
    """Numbers by domain and class, in the order of both."""
    rows = (counts[:2], counts[2:])
    return {d: dict(zip(LABELS, row, strict=True)) for d, row in zip(DOMAINS, rows, strict=True)}


def found(known=(20, 10, 0, 0), **changes):
    """One kept round; of the texts of films no label is known."""
    labeled = {"texts": cells(20, 10, 8, 4), "known": cells(*known), "right": cells(15, 5, 0, 0)}
    chosen = {"texts": cells(10, 4, 3, 2), "known": cells(10, 4, 0, 0), "right": cells(9, 3, 0, 0)}
    if not any(known):
        labeled["right"] = chosen["known"] = chosen["right"] = cells(0, 0, 0, 0)
    part = {"labeled": labeled, "chosen": chosen, "history": [{"epoch": 1.0, "loss": 0.5}]}
    gate = {"gate": "cross_fit", "gate_texts": 40, "right": [30, 32, 31]}
    return {"rounds": [part], "kept": 1, "asked": 2, **gate, **changes}


def test_a_table_counts_and_says_how_many_are_right():
    (table,) = tables(found())
    assert table.rows == [
        ["domain / class", "labelled so", "right, %", "chosen", "right, %"],
        ["books / bad", "20", "75.0", "10", "90.0"],
        ["books / good", "10", "50.0", "4", "75.0"],
        ["<b>|films / bad", "8", "", "3", ""],
        ["<b>|films / good", "4", "", "2", ""],
        # 20 of 30 known are right, and 12 of 14 of those chosen.
        ["all", "42", "66.7", "19", "85.7"],
    ]


def test_where_no_label_is_known_nothing_is_said_of_right_ones():
    (table,) = tables(found(known=(0, 0, 0, 0)))
    assert table.rows[0] == ["domain / class", "labelled so", "chosen"]
    assert table.rows[-1] == ["all", "42", "19"]
    assert not self_training({"self_train": found(known=(0, 0, 0, 0))}).panels


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "Of 40 training texts that its models never saw, 30 (75.0 %) were right before"
            " self-training, 32 (80.0 %) after round 1, 31 (77.5 %) after round 2: 1 of 2 rounds"
            " kept.",
        ),
        ({"gate": "dev", "right": [30, 29], "kept": 0, "asked": 1}, "29 (72.5 %) after round 1: 0"),
        ({"gate": "none", "right": [], "asked": 1}, "No gate: 1 round of self-training."),
        ({"gate_texts": 0}, "Of training texts that its models never saw, 30 were right before"),
    ],
)
def test_the_verdict_of_the_gate(changes, words):
    assert words in verdict(found(**changes))


def test_both_reports_have_the_section():
    section = self_training({"self_train": found()})
    assert [panel.title for panel in section.panels] == ["Pseudo-labels that are right"]
    # Films, of which no label is known, has no row.
    assert "films" not in section.panels[0].svg
    assert section.tables == tables(found())
    made = summary()
    made["config"] |= {"evaluate_on": ["test"], "mft": {"clip": 0}, "self_train": {"epochs": 2}}
    made["stages"]["self_train"] = {"seconds": 5.0, **found()}
    text = render_markdown(made)
    assert "## Self-training\n\nOf 40 training texts" in text
    assert "| books / bad | 20 | 75.0 | 10 | 90.0 |" in text
    assert "| &lt;b&gt;\\|films / bad | 8 |  | 3 |  |" in text
    assert "self-training: 1 of 2 rounds, 2 epochs each" in text


def test_other_runs_have_no_such_section():
    section = self_training({})
    assert not section.panels
    assert not section.part
