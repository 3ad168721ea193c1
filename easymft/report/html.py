"""A run's summary as one self-contained HTML page: `report.html`."""

from typing import TYPE_CHECKING, Any

from easymft.report import facts
from easymft.report.templating import render

if TYPE_CHECKING:
    import pyarrow as pa


def render_html(
    summary: dict[str, Any],
    predictions: "pa.Table | None" = None,
    typicality: "pa.Table | None" = None,
    embeddings: "pa.Table | None" = None,
) -> str:
    """Return the whole report of a run, pictures and style included; it asks nothing of a network.

    Sections for which there is nothing to show are left out.

    Args:
        summary: What `easymft.runs.execution.execute` returns.
        predictions: Content of `predictions.parquet`.
        typicality: Content of `typicality.parquet`.
        embeddings: Content of `embeddings.parquet`.
    """
    # Imported here: only those who draw need matplotlib.
    from easymft.report.sections import build

    return render(
        "run.html.jinja",
        kind="run",
        title=facts.title(summary),
        description=summary["config"].get("description"),
        summary=summary,
        facts=facts,
        sections=build(summary, predictions, typicality, embeddings),
    )
