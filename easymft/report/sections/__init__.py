"""The parts of `report.html`, in order. Importing this loads matplotlib."""

import pyarrow as pa

from easymft.report.facts import Facts
from easymft.report.sections.answers import answers
from easymft.report.sections.calibration import calibration
from easymft.report.sections.encoder import centroids, domain_probe, text_maps
from easymft.report.sections.results import confusions, results
from easymft.report.sections.section import Section
from easymft.report.sections.self_training import self_training
from easymft.report.sections.training import learning_curves
from easymft.report.sections.typicality import case_study, errors, typicality


def build(
    summary: Facts,
    predictions: pa.Table | None,
    typicality_scores: pa.Table | None,
    embeddings: pa.Table | None,
) -> list[Section]:
    """Return all parts for which the run left something; see `easymft.report.html.render_html`."""
    diagnostics = summary.get("diagnostics") or {}
    source = "What the figures below come from; the last section says how to repeat it."
    recipe = "The complete recipe, with every default filled in, lies beside this report."
    sections = (
        Section("run", "What was run", source, part="run"),
        results(summary),
        confusions(summary),
        learning_curves(summary["stages"]),
        self_training(summary["stages"]),
        typicality(summary, typicality_scores),
        case_study(summary),
        errors(diagnostics),
        centroids(diagnostics),
        text_maps(summary, diagnostics, embeddings),
        domain_probe(diagnostics),
        calibration(diagnostics, predictions),
        answers(summary, predictions),
        Section("again", "Repeat it", recipe, part="again"),
    )
    return [section for section in sections if section.panels or section.part]
