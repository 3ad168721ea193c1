"""What is said of answers, of facts made by hand."""

import re

import pytest

from easymft.report import render_html, render_markdown
from easymft.report.answers import answer_sentences
from easymft.report.model_card import render_model_card
from tests.report.plain_results import summary, tables


def row(threshold, answered, temperature=2.0, needed=None):
    found = {"temperature": temperature, "threshold": threshold, "texts": 100, "needed": needed}
    return {**found, "answered": answered, "right": answered}


def with_answers(target=0.95):
    made = summary()
    own = {
        "domains": {"books": row(0.75, 71), "films": row(None, 0, 1.5, needed=130)},
        "unknown": row(None, 0),
    }
    mixed = {**own, "unknown": row(0.875, 50)}
    tested = {
        "error_before": 0.123,
        "error_after": 0.031,
        "error_by_chance": 0.025,
        "domains": {
            "books": {"texts": 40, "answered": 30, "right": 29},
            "films": {"texts": 40, "answered": 0, "right": 0},
        },
    }
    made["answers"] = {
        "target_accuracy": target,
        "confidence": 0.9,
        "models": {"meta_learner": mixed, "fine_tuned": own},
        "test": {"meta_learner": tested, "fine_tuned": tested},
    }
    made["config"] |= {
        **{"evaluate_on": ["dev", "test"], "mft": {"clip": 0}, "method": "mft"},
        "data": {"source": "files", "split": {"leave_out": None}},
    }
    return made


CALIBRATED = (
    "Logits are divided by temperatures of 1.50 to 2.00, found on the development texts: the "
    "expected calibration error on test texts goes from 12.3 to 3.1 points, of which chance makes "
    "about 2.5 with so many texts."
)
PROMISED = (
    "Below a domain's threshold the model abstains. Promised for texts like the development texts, "
    "90 % sure for each domain: at least 95 % of its answers are right."
)


def test_a_sentence_for_each_domain_and_for_strangers():
    assert answer_sentences(with_answers()) == [
        CALIBRATED,
        PROMISED,
        "books: 71 % can be answered at 95 % (from a score of 0.750 on); of 40 test texts 75 %, "
        "96.7 % of them rightly.",
        "films: nothing can be answered at 95 % with 100; about 130 development texts may be "
        "enough.",
        "Nothing can be promised of domains that training did not know; for them from a score of "
        "0.875 on.",
    ]


def test_without_a_target_there_is_calibration_alone():
    assert answer_sentences(with_answers(target=None)) == [CALIBRATED]


def test_where_no_number_of_texts_is_enough_it_says_so():
    made = with_answers()
    made["answers"]["models"]["fine_tuned"]["domains"]["films"]["needed"] = None
    assert "films: nothing can be answered at 95 % with 100; no number of texts like these" in (
        " ".join(answer_sentences(made))
    )


@pytest.mark.parametrize("answers", [None, {"models": {}}])
def test_where_nothing_was_found_nothing_is_said(answers):
    assert answer_sentences({**summary(), "answers": answers}) == []
    assert "What can be answered" not in render_html({**summary(), "answers": answers})


def test_the_reports_say_it():
    made, predictions = with_answers(), tables()["predictions"]
    assert f"\n## What can be answered\n\n- {CALIBRATED}\n" in render_markdown(made)
    page = render_html(made, predictions)
    assert "Accuracy by coverage" in page
    assert PROMISED.replace("'", "&#39;") in page


def test_a_card_says_what_is_promised_of_its_model_alone():
    made = with_answers()
    cards = [render_model_card(made, model) for model in ("books", None)]
    for card, films in zip(cards, (False, True), strict=True):
        assert re.search(r"- books: 71 % can be answered", card)
        assert ("films: nothing can be answered" in card) is films
