"""How good the models are: figures per domain, and what they take for what."""

import numpy as np
from markupsafe import Markup

from easymft.config.method import BY_META_LEARNER
from easymft.report import plots
from easymft.report.facts import KINDS, Facts, test_metrics
from easymft.report.intervals import macro_f1_interval
from easymft.report.sections.section import MOST_PANELS, Panel, Section, pictured_note
from easymft.report.sections.values import percent_point, vocabulary

_NOTE = (
    "Where the whiskers of two models overlap widely, this run cannot say which is better. They"
    " tell of the test texts at hand, not of what another seed would change. Accuracy: Wilson's"
    " interval; macro-F1: bootstrap of the test texts, none where every text is right or every"
    " text is wrong."
)


def results(summary: Facts) -> Section:
    """Show accuracy and macro-F1 per domain and model."""
    tests = test_metrics(summary)
    if not tests:
        return Section("results", "Results", "No figures on test texts.", part="empty")
    panels = [
        Panel(f"{title} per domain", _figures(tests, title, key))
        for title, key in (("Accuracy", "accuracy"), ("Macro-F1", "macro_f1"))
    ]
    how = "Higher is better: a dot is the figure on the test texts, its whisker the 95 % interval."
    return Section("results", "Results", how, panels, [_NOTE], part="results")


def _figures(tests: Facts, title: str, key: str) -> Markup:
    first = next(iter(tests.values()))["domains"]
    rows = []
    for domain, figures in first.items():
        points = [_point(part["domains"].get(domain), key) for part in tests.values()]
        rows.append(plots.Row(domain, points, f"{figures['texts']:,} texts"))
    if len(rows) > 1:
        averages = [percent_point(part.get(f"average_{key}")) for part in tests.values()]
        rows.append(plots.Row("average", averages, is_summary=True))
    return plots.dot_and_whisker(
        rows, [KINDS[kind] for kind in tests], f"{title} on test texts, %", f"{title} per domain"
    )


def _point(figures: Facts | None, key: str) -> plots.Point | None:
    if not figures or not figures["texts"]:
        return None
    interval = (
        figures["accuracy_interval"]
        if key == "accuracy"
        else macro_f1_interval(figures["confusion"])
    )
    return percent_point(figures[key], interval)


def confusions(summary: Facts) -> Section:
    """Show a confusion matrix per domain of the last model trained."""
    tests = test_metrics(summary)
    kind = list(tests)[-1] if tests else BY_META_LEARNER
    tested = {
        domain: figures
        for domain, figures in tests.get(kind, {}).get("domains", {}).items()
        if figures["texts"]
    }
    panels = []
    for domain, figures in list(tested.items())[:MOST_PANELS]:
        counts = np.asarray(figures["confusion"], dtype=float)
        svg = plots.heat_map(
            counts / np.maximum(counts.sum(axis=1, keepdims=True), 1),
            vocabulary(summary, "labels") or list(map(str, range(len(counts)))),
            f"Confusion matrix of domain {domain}: true classes in rows, predicted in columns",
            texts=[[f"{count:,.0f}" for count in row] for row in counts],
            xlabel="predicted class",
            ylabel="true class",
            scale="share of the true class",
        )
        panels.append(Panel(domain, svg, f"{figures['texts']:,} test texts"))
    how = (
        f"Each row holds the test texts of one true class, each column what the model"
        f" ({KINDS[kind]}) took them for: a good model has deep shades on the diagonal only."
    )
    return Section("confusion", "Confusions", how, panels, pictured_note(len(tested)))
