import html.parser
import re
import subprocess
import sys

import pytest

from easymft.report.html import render_html
from tests.report.plain_results import figures, summary, tables
from tests.report.test_pseudo_labels import found

HOSTILE = (
    "<script>alert(1)</script>",
    "$x^2$ and $\\frac{",
    "](javascript:alert(1))",
    '"><img src=x onerror=alert(1)>',
    "\u202egnp.exe \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "\U0001f600 \u4e2d\u6587\u7684\u9886\u57df\u540d\u5b57\u5f88\u957f \U0001f469\u200d\U0001f4bb",
    "{{ 7 * 7 }} {% raw %}",
    "a name that goes on and on " * 8,
)
VOID = {"meta", "link", "img", "br"}


class Page(html.parser.HTMLParser):
    """What a browser would make of a page: its elements, identifiers, links and text."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.text, self._open = [], [], []
        self.feed(source)
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open[-1:]:
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    @property
    def sections(self):
        return [section["id"] for section in self.all("section")]

    @property
    def pictures(self):
        return [svg["aria-label"] for svg in self.all("svg")]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.mark.long
def test_shows_all_parts_in_order():
    plain = summary()
    plain["stages"]["self_train"] = {"seconds": 0.0, **found()}
    plain["config"]["self_train"] = {"epochs": 2}
    page = Page(render_html(plain, **tables()))
    assert page.sections == [
        "run",
        "results",
        "confusion",
        "curves",
        "self-training",
        "typicality",
        "texts",
        "errors",
        "centroids",
        "map",
        "probe",
        "calibration",
        "again",
    ]
    # 2 figures, 2 confusions, 4 + 1 + 2 curves, right pseudo-labels, 2 histograms, errors,
    # centroids, 4 maps, probe, 2
    assert len(page.pictures) == len(set(page.pictures)) == 23
    assert all(svg["role"] == "img" for svg in page.all("svg"))
    for fact in ("MFT (Full) on reviews", "bert_tiny", "160 train, 40 dev, 160 test", "2.1 min"):
        assert fact in page.words
    assert "70.0 60.0\N{EN DASH}80.0" in page.words  # the first domain: 28 of 40, 0.7 -+ 0.1
    assert "t = \N{MINUS SIGN}0.250 bad a low text" in page.words
    assert not page.all("aside")


@pytest.mark.long
def test_asks_nothing_of_a_network_and_runs_nothing():
    source = render_html(summary(HOSTILE, HOSTILE[:3]), **tables(HOSTILE, HOSTILE[:3]))
    page = Page(source)
    assert not page.all("script")
    assert not page.all("img")
    for tag, attrs in page.elements:
        assert not [name for name in attrs if name.startswith("on")]
        for name in ("href", "src", "xlink:href"):
            assert re.match(r"#[\w-]+$|data:(,|image/png;base64,)", attrs.get(name) or "#a"), tag
    assert not re.search(r"https?:|@import|url\((?!#)", source)


@pytest.mark.long
def test_shows_hostile_names_literally():
    for names in ({"domains": HOSTILE}, {"labels": HOSTILE}):
        page = Page(render_html(summary(**names), **tables(**names)))
        for name in HOSTILE:
            assert " ".join(name.split()) in page.words
        assert "{{ 7 * 7 }}" in page.words
        assert len(set(page.pictures)) == len(page.pictures)


@pytest.mark.long
def test_identifiers_are_unique_and_every_reference_has_its_target():
    source = render_html(summary(), **tables())
    ids = [attrs["id"] for _, attrs in Page(source).elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', source)) <= set(ids)


@pytest.mark.long
def test_the_same_results_give_the_same_page():
    assert render_html(summary(), **tables()) == render_html(summary(), **tables())


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_sample": True}, "small sample that ships with easymft"),
        (
            {"counts": [{"domain": "books", "class": "bad", "train": 4, "dev": 9, "test": 31}]},
            "Fewer than 5 training texts in books / bad (4)",
        ),
        (
            {"counts": [{"domain": "books", "class": "bad", "train": 99, "dev": 9, "test": 29}]},
            "Fewer than 30 test texts in books (29), films (0)",
        ),
    ],
)
def test_warns_of_weak_data(changes, words):
    plain = summary()
    plain["stages"]["validate"] |= changes
    page = Page(render_html(plain))
    assert page.all("aside")
    assert words in page.words


def test_leaves_out_what_a_method_lacks():
    plain = summary(kinds=["fine_tuned"])
    del plain["stages"]["typicality"], plain["stages"]["meta_fine_tune"]
    plain |= {"case_study": [], "diagnostics": None}
    page = Page(render_html(plain))
    assert page.sections == ["run", "results", "confusion", "curves", "again"]
    assert "one model for all" not in page.words
    assert "per domain: 4 epochs" in page.words  # the only phase runs for the epochs of both


def test_an_unfinished_run_has_a_report():
    plain = summary()
    plain |= {"metrics": None, "stages": {}, "case_study": [], "diagnostics": None}
    page = Page(render_html(plain))
    assert page.sections == ["run", "results", "again"]
    assert "no figures on test texts" in page.words


@pytest.mark.long
def test_missing_values_are_left_blank():
    plain = summary()
    for kind in plain["metrics"].values():
        kind["test"]["domains"]["films"] = {"texts": 0}
        kind["test"]["average_macro_f1"] = float("nan")
    diagnostics = plain["diagnostics"]
    diagnostics["probe"]["after"] = {"2": None, "embedding": None}
    diagnostics["centroids"]["cosine"][0][1] = None
    diagnostics["map"] = {"explained_before": [None, None], "explained_after": None}
    for entry in diagnostics["typicality_and_errors"].values():
        entry["auc"] = None
        entry["quintiles"] = entry["quintiles"][:2]
    for entry in diagnostics["calibration"].values():
        entry["test"]["average"] = entry["test"]["domains"]["films"] = None
    for entry in plain["stages"]["meta_fine_tune"]["history"]:
        entry["loss"] = entry["label_loss"] = float("nan")
    plots = tables()
    blank = [None] * plots["embeddings"].num_rows
    for column in ("after_x", "after_y"):
        place = plots["embeddings"].column_names.index(column)
        plots["embeddings"] = plots["embeddings"].set_column(place, column, [blank])
    page = Page(render_html(plain, **plots))
    assert "no test texts" in page.words
    assert "Confusion matrix of domain films" not in " ".join(page.pictures)
    assert "nan" not in page.words.lower()
    assert not [picture for picture in page.pictures if "after training" in picture]
    assert "after meta fine-tuning" not in page.words


@pytest.mark.long
@pytest.mark.parametrize(("domains", "labels"), [(1, 2), (30, 2), (2, 20)])
def test_few_and_many_domains_and_classes(domains, labels):
    names = [f"domain {n}" for n in range(domains)], [f"class {n}" for n in range(labels)]
    source = render_html(summary(*names), **tables(*names))
    page = Page(source)
    assert len([p for p in page.pictures if p.startswith("Confusion")]) == domains
    assert len(source) < 2_000_000


@pytest.mark.long
def test_pictures_stop_at_thirty_domains_and_say_so():
    names = [f"domain {n}" for n in range(33)]
    plain = summary(names)
    page = Page(render_html(plain | {"diagnostics": None}))
    assert len([p for p in page.pictures if p.startswith("Confusion")]) == 30
    assert "The first 30 of 33 domains are pictured." in page.words


@pytest.mark.long
def test_what_no_page_can_hold_is_replaced():
    plain = summary()
    plain["case_study"][0]["text"] = "bell \x07, half a pair \ud800"
    plain["metrics"]["meta_learner"]["test"]["domains"]["nul \x00 \udfff"] = figures(2)
    source = render_html(plain, **tables())
    assert "bell \ufffd, half a pair \ufffd" in source
    source.encode("utf-8")


@pytest.mark.long
def test_drawing_is_loaded_only_where_a_report_is_rendered():
    code = "import sys, easymft.report.html; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
