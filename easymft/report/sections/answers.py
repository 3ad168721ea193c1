"""How many texts can be answered, and how often rightly."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from easymft.report import plots
from easymft.report.answers import answer_sentences
from easymft.report.facts import KINDS, Facts
from easymft.report.sections.section import Panel, Section

_FEWEST = 10  # answers whose accuracy is drawn


def answers(summary: Facts, predictions: pa.Table | None) -> Section:
    """Show accuracy by the share of texts that is answered, the surest first, per domain."""
    sentences = answer_sentences(summary)
    how = (
        "The fewer texts a model answers, the surest first, the more of its answers are right;"
        " the rest is left to people. `answers.target_accuracy` sets how many are to be right."
    )
    curves = _curves(predictions) if sentences and predictions is not None else []
    panels = []
    if curves:
        svg = plots.lines(
            curves, "texts answered, %", "answers that are right, %", "Accuracy by coverage"
        )
        panels.append(Panel("Accuracy by coverage", svg, "test texts"))
    return Section("answers", "What can be answered", how, panels, sentences if panels else [])


def _curves(predictions: pa.Table) -> list[plots.Line]:
    """Return a curve per domain, of the answers of the last model."""
    test = predictions.filter(pc.field("split") == "test")
    kinds = pc.unique(test["model"]).to_pylist()
    last = [kind for kind in KINDS if kind in kinds][-1:]
    frame = test.filter(pc.is_in(test["model"], pa.array(last, pa.string()))).to_pandas()
    curves = []
    for name, own in frame.groupby("domain", sort=False):
        scores = np.array([np.max(row) for row in own["probabilities"]], float)
        right = (own["label"] == own["predicted"]).to_numpy()[np.argsort(-scores, kind="stable")]
        counts = np.arange(1, len(right) + 1)
        first = min(_FEWEST, len(right)) - 1
        accuracies = (np.cumsum(right) / counts)[first:]
        shares = (counts / len(right))[first:]
        # A point for each percent of the texts draws as well as one for each text.
        picked = np.unique(np.linspace(0, len(shares) - 1, 100).round().astype(int))
        curves.append(plots.Line(str(name), 100 * shares[picked], 100 * accuracies[picked]))
    return curves
