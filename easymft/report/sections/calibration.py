"""Whether the models are as sure as they are right."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup
from sklearn.calibration import calibration_curve

from easymft.report import plots
from easymft.report.facts import KINDS, Facts
from easymft.report.sections.section import Panel, Section
from easymft.report.sections.values import percent_point

_BINS = 10  # of confidence


def calibration(diagnostics: Facts, predictions: pa.Table | None) -> Section:
    """Show accuracy by confidence, and the calibration error per domain."""
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
        panels.append(Panel("Calibration error per domain", _errors(errors), "test texts, 15 bins"))
    how = (
        "A calibrated model is right in 80 % of the answers of which it is 80 % sure: its curve"
        " follows the diagonal (below it, it is too sure) and its error is near 0."
    )
    note = "Of few test texts much of the error is chance: those of a few dozen are too high."
    return Section("calibration", "Calibration", how, panels, [note] if errors else [])


def _reliability(predictions: pa.Table) -> list[plots.Line]:
    """Return per model the accuracy on test texts by confidence, where there are texts."""
    curves = []
    for kind, title in KINDS.items():
        rows = (pc.field("model") == kind) & (pc.field("split") == "test")
        own = predictions.filter(rows)
        right = pc.equal(own["label"], own["predicted"]).to_numpy()
        sure = np.array([max(row) for row in own["probabilities"].to_pylist()], dtype=float)
        known = np.isfinite(sure)
        if known.any():
            # Clipped: rounding may leave a softmax a little above 1.
            hits, confidence = calibration_curve(
                right[known], np.clip(sure[known], 0, 1), pos_label=True, n_bins=_BINS
            )
            curves.append(plots.Line(title, 100 * confidence, 100 * hits))
    return curves


def _errors(errors: Facts) -> Markup:
    """Draw expected calibration errors: model -> `average` and `domains`."""
    rows = [
        plots.Row(name, [percent_point(part["domains"].get(name)) for part in errors.values()])
        for name in next(iter(errors.values()))["domains"]
    ]
    averages = [percent_point(part.get("average")) for part in errors.values()]
    return plots.dot_and_whisker(
        [*rows, plots.Row("average", averages, is_summary=True)],
        [KINDS.get(kind, kind) for kind in errors],
        "expected calibration error, points",
        "Expected calibration error per domain, percentage points",
        from_zero=True,
    )
