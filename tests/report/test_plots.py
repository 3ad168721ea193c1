import re
import unicodedata
import warnings
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest

from easymft.report import plots
from easymft.report.plots.limits import spread
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


NAN, INF = float("nan"), float("inf")
NUMBERS = {
    "constant": [0.331] * 5,
    "nearly constant": [0.331, 0.331 + 1e-8, 0.331 - 1e-8],
    "nearly constant and large": [12345.6, 12345.601],
    "zeros": [0.0, 0.0],
    "one": [0.5],
    "gaps": [1.0, NAN, 0.5, INF, -INF, 0.25],
    "no numbers": [NAN, INF],
    "none": [],
    "negative": [-3.0, -0.5],
    "small": [1e-9, 2e-9],
    "huge": [1e-8, 1e8],
    "beyond drawing": [1.7e308, -1.7e308],
}


def draw_numbers(draw, numbers):
    values = np.array(numbers, float)
    if draw is draw_dots:
        rows = [plots.Row(str(n), [plots.Point(v, v, v)]) for n, v in enumerate(numbers)]
        return plots.dot_and_whisker(rows, ["one"], "x", "dots")
    if draw is draw_lines:
        curves = [plots.Line("one", range(len(numbers)), numbers)]
        return plots.lines(curves, "x", "y", "lines")
    if draw is draw_heat:
        values = np.resize(values, (3, 3)) if len(numbers) else np.full((3, 3), NAN)
        return plots.heat_map(values, "abc", "heat", span=None)
    if draw is draw_histogram:
        classes, bins = {"a": values, "b": values[:1]}, plots.shared_bins(values)
        return plots.class_histogram(classes, bins, plots.top_share(classes, bins), "t", "bins")
    points = np.stack([values, values[::-1]], axis=1)
    return plots.scatter_map(points, np.zeros(len(values), int), ["a"], "x", "y", "map")


@pytest.mark.parametrize("draw", ALL)
@pytest.mark.parametrize("numbers", NUMBERS.values(), ids=NUMBERS)
def test_draws_any_numbers_without_a_warning(draw, numbers):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = draw_numbers(draw, numbers)
    known = [number for number in numbers if abs(number) < 1e100]
    assert ("no numbers" in texts(svg)) == (not known)
    assert "nan" not in " ".join(re.findall(r' d="([^"]*)"', svg))


@pytest.mark.parametrize("draw", [draw_lines, draw_histogram, draw_heat])
@pytest.mark.parametrize("name", ["constant", "nearly constant", "nearly constant and large"])
def test_noise_is_not_drawn_as_if_it_were_something(draw, name):
    svg = draw_numbers(draw, NUMBERS[name])
    marks = [text for text in texts(svg) if re.fullmatch(r"[\d.\N{MINUS SIGN}]+", text or "")]
    assert len(set(marks)) == len(marks) >= 3  # neither `1e-8 + 0.331` nor the same mark twice
    assert not [text for text in texts(svg) if re.search(r"\de", text or "")]
    if draw is draw_lines:
        paths = [
            path.get("d")
            for path in ElementTree.fromstring(svg).iter("path")
            if "fill: none; stroke: var(--series-0)" in path.get("style", "")
        ]
        heights = re.findall(r"[ML] [\d.]+ ([\d.]+)", paths[0])
        assert np.ptp(np.array(heights, float)) < 1  # of a picture's 140 pixels


def test_an_axis_spans_a_fiftieth_of_its_values_and_a_margin():
    # 2 % of 50 is 1 around 50, and a twentieth of it at both ends.
    assert spread(np.array([50.0, 50.0])) == pytest.approx((49.45, 50.55))
    assert spread(np.array([-50.0, NAN])) == pytest.approx((-50.55, -49.45))
    assert spread(np.array([0.0, 1.0, INF])) == pytest.approx((-0.05, 1.05))
    assert spread(np.array([0.5]), least=0.1) == pytest.approx((0.445, 0.555))
    assert spread(np.zeros(3)) == (-1, 1)
    assert spread(np.array([NAN, 1e200])) == (0, 1)


def test_the_median_is_of_the_curves_that_reach_so_far():
    curves = [plots.Line(str(n), [0, 1, 2], [n, n, n]) for n in range(7)]
    curves += [plots.Line("short", [0, 1], [100, NAN]), plots.Line("empty", [], [])]
    svg = plots.lines(curves, "epoch", "loss", "many")
    # At 0 the eight known are 0 ... 6 and 100: median 3.5; at 2 they are 0 ... 6: 3.
    assert ElementTree.fromstring(svg).get("aria-label") == (
        "many. median: 3.5 at epoch 0 to 3 at epoch 2"
    )


def test_of_many_groups_the_largest_are_told_apart():
    codes = np.r_[np.arange(40), np.arange(20, 40)]
    names = [f"group {n}" for n in range(40)]
    shown = texts(plots.scatter_map(np.random.rand(60, 2), codes, names, "x", "y", "map"))
    assert {f"group {n}" for n in range(20, 40)} <= set(shown)
    assert "group 19" not in shown
    assert "12 smaller" in shown


def test_numbers_wider_than_their_cells_are_left_out():
    for text, written in (("12", True), ("123,456", False)):
        svg = plots.heat_map(np.eye(9), "abcdefghi", "heat", texts=[[text] * 9] * 9)
        assert (text in texts(svg)) == written


def test_bins_hold_all_scores_and_shares_add_up():
    scores = np.array([-0.5, 0.0, 0.25, np.nan, 1.0])
    bins = plots.shared_bins(scores)
    assert bins[0] < -0.5
    assert bins[-1] > 1.0
    assert plots.top_share({"a": scores[:1], "b": scores}, bins) == 100.0
    assert plots.top_share({"b": scores}, bins) == 25.0


def test_names_are_cut_in_the_middle_where_they_do_not_fit():
    assert shorten("books", 100) == "books"
    for name in ("a very long name of a domain", "me\u0301" * 20, "\u4e2d" * 30, "x" * 500):
        cut = shorten(name, 100)
        head, tail = cut.split("…")
        assert 60 < text_width(cut) <= 100
        assert name.startswith(head)
        assert name.endswith(tail)
        assert len(head) > len(tail) > 0
        assert not unicodedata.combining(tail[0])
    assert shorten("two\n lines\t", 200) == "two lines"
    assert shorten("\u202eevil\u2066", 200) == "evil"
