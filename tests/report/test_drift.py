from easymft.report.drift import (
    Drift,
    Measure,
    drift_lines,
    render_drift_html,
    render_prometheus,
)
from easymft.report.shift import Shift

MOVED = Shift(index=0.5, low=0.4, high=0.6, by_chance=0.05)
STILL = Shift(index=0.125, low=0.0, high=0.3, by_chance=0.2)


def drift(*measures, few=None):
    return Drift("shop", 300, 0.25, measures, few or {})


def measure(domain, name, shift):
    return Measure(domain, name, 0.5, 0.25, 100, shift, 0.25)


def test_what_has_moved_is_named():
    found = drift(measure("books", "familiarity", MOVED), measure("", "cut texts", STILL))
    assert drift_lines(found) == [
        "books, familiarity: 50.0 % was, 25.0 % is (index 0.50, limit 0.25)"
    ]
    assert drift_lines(drift(measure("books", "cut texts", STILL))) == [
        "300 texts: nothing has moved beyond 0.25."
    ]
    assert drift_lines(drift()) == ["300 texts: too few of each domain to compare."]


def test_the_page_shows_all_and_names_are_inert():
    page = render_drift_html(
        drift(measure("<b>", "familiarity", MOVED), measure("", "cut texts", STILL), few={"<i>": 3})
    )
    for words in ("0.400 to 0.600", "(no known domain)", "moved", "&lt;i&gt; (3)", "&lt;b&gt;"):
        assert words in page
    assert "<b></bdi>" not in page
    assert "drift.prom" in page


def test_prometheus_reads_gauges_with_quoted_names():
    text = render_prometheus(drift(measure('a"b\\c\nd', "familiarity", MOVED)))
    labels = r'{recipe="shop",domain="a\"b\\c\nd",measure="familiarity"}'
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        f"easymft_drift_index{labels} 0.5",
        f"easymft_drift_mean{labels} 0.25",
        f"easymft_drift_moved{labels} 1",
    ]
    assert text.count("# TYPE") == 3
    assert text.endswith("\n")
