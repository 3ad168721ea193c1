import re
import warnings
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest

from easymft.report import plots
from easymft.report.plots.text import clean, shorten, text_width

NAMES = (
    "$x^2$",
    "<b>&",
    "\U0001f600 \u4e2d\u6587",
    "\u0645\u0631\u062d\u0628\u0627",
    "nul\x00\ufffe",
)


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter("text")]


def draw_dots(names):
    rows = [plots.Row(name, [plots.Point(50, 40, 60), None], detail=name) for name in names]
    return plots.dot_and_whisker(rows, ["one", "two"], "accuracy, %", "dots")


def draw_lines(names):
    return plots.lines([plots.Line(n, [0, 1], [1, float("nan")]) for n in names], "x", "y", "lines")


def draw_heat(names):
    return plots.heat_map(np.eye(len(names)), names, "heat", scale="share")


def draw_histogram(names):
    classes = {name: np.array([0.1, 0.2]) for name in names}
    return plots.class_histogram(classes, plots.shared_bins(np.zeros(1)), 50, "t", "histogram")


def draw_map(names):
    points = np.arange(2 * len(names)).reshape(-1, 2)
    return plots.scatter_map(points, np.arange(len(names)), names, "x", "y", "map")


ALL = [draw_dots, draw_lines, draw_heat, draw_histogram, draw_map]


@pytest.mark.parametrize("draw", ALL)
@pytest.mark.parametrize("names", [NAMES, NAMES[:1], NAMES[:4]])
def test_draws_any_name_literally_and_without_a_warning(draw, names):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = " ".join(text or "" for text in texts(draw(names)))
    shown = () if draw is draw_lines and len(names) == 1 else names  # one curve needs no legend
    for name in shown:
        assert clean(name) in drawn


@pytest.mark.parametrize("draw", ALL)
def test_leaves_the_drawing_library_as_it_was(draw):
    before = dict(matplotlib.rcParams)
    draw(["a", "b"])
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("draw", ALL)
def test_stands_in_a_page_beside_others(draw):
    svg = draw(["a", "b"])
    root = ElementTree.fromstring(svg)
    assert root.tag == "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert not list(root.iter("style"))  # it would act on the whole page
    for used in re.findall(r"url\(#(\w+)\)", svg):
        assert f'id="{used}"' in svg
    # Ink follows the page's light or dark mode: no text or line is plain black or white.
    assert not re.search(r"#(000000|ffffff|111111|666666)", svg)


def test_equal_pictures_with_different_labels_share_no_identifier():
    pictures = [
        plots.lines([plots.Line("a", [0, 1], [0, 1])], "x", "y", label) for label in ("one", "two")
    ]
    one, two = (set(re.findall(r' id="(\w+)"', picture)) for picture in pictures)
    assert one
    assert not one & two


def test_dots_tell_their_values_in_words():
    rows = [plots.Row("books", [plots.Point(81.25)]), plots.Row("films", [None])]
    root = ElementTree.fromstring(plots.dot_and_whisker(rows, ["one"], "x, %", "Accuracy"))
    assert root.get("aria-label") == "Accuracy. books: 81.2; films: none"


def test_many_curves_become_one_kind_and_their_median():
    curves = [plots.Line(f"domain {n}", [0, 1, 2], [n, n, n]) for n in range(9)]
    names = texts(plots.lines(curves, "epoch", "loss", "many", each="each domain"))
    assert "each domain" in names
    assert "median" in names
    assert "domain 0" not in names


def test_numbers_stand_in_cells_only_where_there_is_room():
    for size, written in ((3, True), (20, False)):
        words = [["77"] * size] * size
        names = [f"class {n}" for n in range(size)]
        svg = plots.heat_map(np.eye(size), names, "heat", texts=words, scale="share")
        assert ("77" in texts(svg)) == written
        assert ("share" in texts(svg)) != written  # without numbers, a scale


def test_bins_hold_all_scores_and_shares_add_up():
    scores = np.array([-0.5, 0.0, 0.25, np.nan, 1.0])
    bins = plots.shared_bins(scores)
    assert bins[0] < -0.5
    assert bins[-1] > 1.0
    assert plots.top_share({"a": scores[:1], "b": scores}, bins) == 100.0
    assert plots.top_share({"b": scores}, bins) == 25.0


def test_names_are_cut_where_they_do_not_fit():
    assert shorten("books", 100) == "books"
    cut = shorten("a very long name of a domain", 100)
    assert cut.endswith("…")
    assert text_width(cut) <= 100
    assert cut[:-1] in "a very long name of a domain"
    assert shorten("two\n lines\t", 200) == "two lines"
    assert shorten("\u202eevil\u2066", 200) == "evil"
