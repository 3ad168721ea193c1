"""A run's summary as Markdown: what `report.md` and the terminal show."""

import re
from collections.abc import Sequence
from typing import Any

import jinja2

from easymft.report.facts import KINDS

# Characters that Markdown or embedded HTML would act on; a user's text must only ever be shown.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&])")
_SHOWN_CHARACTERS = 300


def escape(text: str, limit: int | None = _SHOWN_CHARACTERS) -> str:
    """A user's text on one line, cut to `limit` characters, inert in Markdown and HTML."""
    line = " ".join(str(text).split())
    if limit is not None and len(line) > limit:
        line = line[: limit - 1] + "…"
    escaped = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
    return _SPECIAL.sub(lambda m: escaped.get(m.group(), "\\" + m.group()), line)


def results_table(metrics: dict[str, Any], split: str = "test") -> str:
    """Accuracy (95 % interval) and macro-F1 per domain: a Markdown table.

    Args:
        metrics: Content of `metrics.json`.
        split: `"dev"` or `"test"`.
    """
    kinds = [kind for kind in KINDS if kind in metrics]
    header = ["domain", "texts"]
    for kind in kinds:
        header += [f"accuracy, {KINDS[kind]}", "95 % interval", "macro-F1"]
    rows = [header]
    first = metrics[kinds[0]][split]["domains"]
    for domain, figures in first.items():
        row = [escape(domain), str(figures["texts"])]
        for kind in kinds:
            row += _cells(metrics[kind][split]["domains"][domain])
        rows.append(row)
    for title, accuracy, macro_f1 in (
        ("average", "average_accuracy", "average_macro_f1"),
        ("worst domain", "worst_domain_accuracy", None),
    ):
        row = [f"**{title}**", ""]
        for kind in kinds:
            part = metrics[kind][split]
            row += [_percent(part.get(accuracy)), "", _percent(part.get(macro_f1))]
        rows.append(row)
    return table(rows)


def table(rows: Sequence[Sequence[str]], aligned: str | None = None) -> str:
    """A Markdown table of a header row and others, whose cells are Markdown already.

    Args:
        rows: The cells.
        aligned: A character a column: `:` to the right, `-` to the left; by default all columns
            but the first hold numbers.
    """
    aligned = aligned or "-" + ":" * (len(rows[0]) - 1)
    rule = ["---:" if side == ":" else "---" for side in aligned]
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:]))


def case_study_table(study: list[dict[str, Any]]) -> str:
    """Least and most typical texts per domain: a Markdown table."""
    rows = [["typicality", "domain", "label", "t", "text"]]
    for entry in study:
        rows.append(
            [
                entry["typicality"],
                escape(entry["domain"]),
                escape(entry["label"]),
                f"{entry['score']:.3f}",
                escape(entry["text"]),
            ]
        )
    return table(rows, aligned="---:-")


def render_markdown(summary: dict[str, Any]) -> str:
    """The whole report of a run.

    Args:
        summary: What `easymft.runs.execution.execute` returns.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("easymft.report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # the output is Markdown; every user's text passes `escape`
    )
    environment.filters["escape_text"] = escape
    template = environment.get_template("report.md.jinja")
    return template.render(
        **summary, results_table=results_table, case_study_table=case_study_table
    )


def _cells(figures: dict[str, Any]) -> list[str]:
    if not figures["texts"]:
        return ["", "", ""]
    low, high = figures["accuracy_interval"]
    return [
        _percent(figures["accuracy"]),
        f"{100 * low:.1f} to {100 * high:.1f}",
        _percent(figures["macro_f1"]),
    ]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
