"""Whether the models are as sure as they are right."""

import numpy as np
import pyarrow as pa

from easymft.report import plots
from easymft.report.facts import KINDS, Facts
from easymft.report.sections.section import Panel, Section
from easymft.report.sections.values import percent_point, strings

_BINS = 10  # of confidence


def calibration(diagnostics: Facts, predictions: pa.Table | None) -> Section:
    """Accuracy by confidence, and the calibration error per domain."""
    panels = []
    curves = _reliability(predictions) if predictions is not None else []
    if curves:
        svg = plots.lines(
            curves,
            "confidence, %",
            "accuracy, %",
            "Accuracy by confidence",
            diagonal="perfectly calibrated",
            limits=((0, 100), (0, 100)),
        )
        panels.append(Panel("Accuracy by confidence", svg, "test texts, all domains"))
    errors = {
        kind: entry["test"]
        for kind, entry in (diagnostics.get("calibration") or {}).items()
        if entry and entry.get("test")
    }
    if errors:
        domains = next(iter(errors.values()))["domains"]
        rows = [
            plots.Row(name, [percent_point(part["domains"].get(name)) for part in errors.values()])
            for name in domains
        ]
        averages = [percent_point(part.get("average")) for part in errors.values()]
        svg = plots.dot_and_whisker(
            [*rows, plots.Row("average", averages, is_summary=True)],
            [KINDS.get(kind, kind) for kind in errors],
            "expected calibration error, points",
            "Expected calibration error per domain, percentage points",
            from_zero=True,
        )
        panels.append(Panel("Calibration error per domain", svg, "test texts, 15 bins"))
    how = (
        "A calibrated model is right in 80 % of the answers of which it is 80 % sure: its curve"
        " follows the diagonal (below it, it is too sure) and its error is near 0."
    )
    return Section("calibration", "Calibration", how, panels)


def _reliability(predictions: pa.Table) -> list[plots.Line]:
    """Per model, accuracy on test texts by confidence, where there are texts."""
    models, splits = strings(predictions, "model"), strings(predictions, "split")
    right = strings(predictions, "label") == strings(predictions, "predicted")
    best = np.array([max(row) for row in predictions["probabilities"].to_pylist()], dtype=float)
    curves = []
    for kind, title in KINDS.items():
        rows = (models == kind) & (splits == "test") & np.isfinite(best)
        bins = np.minimum((best[rows] * _BINS).astype(int), _BINS - 1)
        texts = np.bincount(bins, minlength=_BINS)
        used = texts > 0
        if used.any():
            sure, hits = (np.bincount(bins, v[rows], _BINS) for v in (best, right))
            curves.append(
                plots.Line(title, *(100 * total[used] / texts[used] for total in (sure, hits)))
            )
    return curves
