"""A run's summary as Markdown: what `report.md` and the terminal show."""

from collections.abc import Mapping, Sequence
from typing import Any

from easymft.report import facts, pseudo_labels
from easymft.report.answers import answer_sentences
from easymft.report.markdown import escape, plain_table, table
from easymft.report.templating import render
from easymft.report.words import percent


def results_table(metrics: Mapping[str, Any], split: str = "test") -> str:
    """Return accuracy (95 % interval) and macro-F1 per domain as a Markdown table.

    Args:
        metrics: Content of `metrics.json`.
        split: `"dev"` or `"test"`.
    """
    found = facts.results(metrics, split)
    if not found:
        return "No figures on these texts."
    header = ["domain", "texts"]
    for kind in found["kinds"]:
        header += [f"accuracy, {kind}", "95 % interval", "macro-F1"]
    rows = [header]
    for row in found["rows"]:
        name = f"**{row['name']}**" if row["is_summary"] else escape(row["name"])
        cells = [cell for figures in row["cells"] for cell in figure_cells(figures)]
        rows.append([name, "" if row["is_summary"] else str(row["texts"]), *cells])
    return table(rows)


def figure_cells(figures: Mapping[str, Any] | None) -> list[str]:
    """Return accuracy, its interval and macro-F1 in percent, empty where there is none."""
    if not figures:
        return [""] * 3
    interval = " to ".join(map(percent, figures["accuracy_interval"] or ()))
    return [percent(figures["accuracy"], ""), interval, percent(figures["macro_f1"], "")]


def case_study_table(study: Sequence[Mapping[str, Any]]) -> str:
    """Return the least and most typical texts per domain as a Markdown table."""
    rows = [["typicality", "domain", "label", "t", "text"]]
    for entry in study:
        domain, label, text = (escape(entry[name]) for name in ("domain", "label", "text"))
        rows.append([entry["typicality"], domain, label, f"{entry['score']:.3f}", text])
    return table(rows, aligned="---:-")


def render_markdown(summary: Mapping[str, Any]) -> str:
    """Return the whole report of a run.

    Args:
        summary: What `easymft.runs.execution.execute` returns.
    """
    return render(
        "report.md.jinja",
        facts=facts,
        summary=summary,
        results_table=results_table,
        promises=answer_sentences(summary),
        case_study_table=case_study_table,
        pseudo_labels=pseudo_labels,
        plain_table=plain_table,
    )
