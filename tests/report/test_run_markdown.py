"""`report.md` and the tables that the terminal shows."""

import copy
import re

import pytest

from easymft.report import render_markdown, results_table
from easymft.report.markdown import escape
from tests.report.plain_results import summary

HOSTILE = "a|b\n[x](javascript:alert(1)) <b> `c` *d* \\"


def make_summary(**names):
    made = summary(**names)
    made["config"] |= {"evaluate_on": ["dev", "test"], "mft": {"clip": 0}}
    return made


def test_the_table_holds_every_model_of_every_domain():
    # Both models' figures are one object there.
    metrics = {kind: copy.deepcopy(part) for kind, part in make_summary()["metrics"].items()}
    metrics["fine_tuned"]["test"]["domains"]["films"] = {"texts": 0}
    del metrics["meta_learner"]["test"]["average_macro_f1"]
    lines = results_table(metrics).splitlines()
    assert lines[0].count("accuracy, ") == 2
    assert lines[2] == ("| books | 40 | 70.0 | 60.0 to 80.0 | 70.0 | 70.0 | 60.0 to 80.0 | 70.0 |")
    assert lines[3] == "| films | 40 | 72.5 | 62.5 to 82.5 | 72.5 |  |  |  |"
    assert lines[4] == "| **average** |  | 75.0 |  |  | 75.0 |  | 74.0 |"
    assert lines[5] == "| **worst domain** |  | 70.0 |  |  | 70.0 |  |  |"
    assert {line.count("|") for line in lines} == {9}


@pytest.mark.parametrize("metrics", [None, {}, {"meta_learner": {"dev": {}}}])
def test_no_figures_are_said_to_be_none(metrics):
    assert results_table(metrics) == "No figures on these texts."


def test_the_report_says_what_was_run():
    made = make_summary()
    made["stages"]["fine_tune"]["keep_meta_learner"] = ["films"]
    text = render_markdown(made)
    titles = re.findall(r"^#+ (.*)", text, re.M)
    assert titles == ["MFT (Full) on reviews", "Results", "Data", "Typicality", "How it was made"]
    for words in (
        "Mean 0.300 over 80 training texts (before clipping); 0 below the bound of\n0 were clipped",
        "- Read from: reviews.csv\n- 3 repeated texts\n- 2 texts dropped",
        "- Budget: all domains mixed: 2 epochs, batch 16, learning rate 5e-05; per domain: 2",
        "films: the meta-learner, since dev does as well without",
        "- Versions: easymft 0.1.0, python 3.11.7",
    ):
        assert words in text
    assert "Warning" not in text
    made["stages"]["validate"]["is_sample"] = True
    assert "> **Warning: bundled sample.** These figures" in render_markdown(made)


def test_an_unfinished_run_has_a_report():
    made = make_summary() | {"stages": {}, "metrics": None, "case_study": []}
    text = render_markdown(made)
    assert "No figures on these texts." in text
    assert "## Typicality" not in text


def test_names_are_inert():
    made = make_summary(domains=(HOSTILE, "films"), labels=(HOSTILE, "good"))
    made["config"]["description"] = made["stages"]["validate"]["corpus"] = HOSTILE
    text = render_markdown(made)
    assert "<b>" not in text
    assert "](" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {9, 6}  # two kinds of table
    assert escape("x" * 400) == "x" * 299 + "…"


def test_a_method_without_an_encoder_has_no_budget_of_epochs():
    made = make_summary()
    made["config"]["method"] = "tfidf"
    text = render_markdown(made)
    assert "- Budget" not in text
    assert "- Backbone" not in text
    made["config"]["method"] = "embed"
    text = render_markdown(made)
    assert "- Budget" not in text
    assert "- Backbone: bert" in text
