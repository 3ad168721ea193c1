import pytest

from easymft.report import words

NAN = float("nan")


@pytest.mark.parametrize(
    ("share", "text"), [(0.8125, "81.2"), (1, "100.0"), (0, "0.0"), (None, "?"), (NAN, "?")]
)
def test_percent(share, text):
    assert words.percent(share) == text


def test_percent_says_what_it_is_told_to_where_there_is_none():
    assert words.percent(None, "") == ""
    assert words.percent_and_error(0.625, 0.02) == "62.5 ± 2.0"
    assert words.percent_and_error(0.625, None) == "62.5"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 s"), (41.4, "41 s"), (60, "1.0 min"), (204, "3.4 min"), (3000, "50 min")),
        *((7560, "2.1 h"), (100_000, "28 h")),
    ],
)
def test_duration(seconds, text):
    assert words.duration(seconds) == text.replace(" ", "\N{NO-BREAK SPACE}")


def test_names_are_counted_and_listed():
    assert words.counted(1, "domain") == "1 domain"
    assert words.counted(1200, "class", "classes") == "1,200 classes"
    assert words.listed(list("abcdef")) == "a, b, c, d, e, f"
    assert words.listed(list("abcdefgh")) == "a, b, c, d, e, f and 2 more"


def test_texts_stand_on_one_line():
    assert words.one_line(" two\n\tlines ") == "two lines"
    assert words.one_line("x" * 10, 10) == "x" * 10
    assert words.one_line("x" * 11, 10) == "x" * 9 + "…"
    assert words.one_line("x" * 1000, None) == "x" * 1000
    assert words.signed(-0.25, 1) == "\N{MINUS SIGN}0.2"
