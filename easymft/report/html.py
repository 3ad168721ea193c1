"""A run's summary as one self-contained HTML page: `report.html`."""

import re
from typing import TYPE_CHECKING, Any

import jinja2

from easymft.report import facts

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN_CHARACTERS = 280  # of a text
_NOT_IN_A_PAGE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def render_html(
    summary: dict[str, Any],
    predictions: "pa.Table | None" = None,
    typicality: "pa.Table | None" = None,
    embeddings: "pa.Table | None" = None,
) -> str:
    """The whole report of a run, pictures and style included; it asks nothing of a network.

    Sections for which there is nothing to show are left out.

    Args:
        summary: What `easymft.runs.execution.execute` returns.
        predictions: Content of `predictions.parquet`.
        typicality: Content of `typicality.parquet`.
        embeddings: Content of `embeddings.parquet`.
    """
    # Imported here: only those who draw need matplotlib.
    from easymft.report.sections import build

    page = (
        environment()
        .get_template("report.html.jinja")
        .render(
            summary=summary,
            facts=facts,
            sections=build(summary, predictions, typicality, embeddings),
        )
    )
    return _NOT_IN_A_PAGE.sub("\ufffd", page)


def environment() -> jinja2.Environment:
    """Of the pages' templates: everything that a template shows is escaped."""
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("easymft.report"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
    pages.filters |= {"percent": _percent, "signed": _signed, "one_line": _one_line}
    return pages


def _percent(value: float | None) -> str:
    return f"{100 * value:.1f}" if facts.is_number(value) else "?"


def _signed(value: float) -> str:
    return f"{value:.3f}".replace("-", "\N{MINUS SIGN}")


def _one_line(text: str) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= _SHOWN_CHARACTERS else line[: _SHOWN_CHARACTERS - 1] + "…"
