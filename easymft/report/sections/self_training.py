"""What became of texts without labels."""

from easymft.report import plots
from easymft.report.facts import Facts
from easymft.report.pseudo_labels import counts, tables, verdict
from easymft.report.sections.section import MOST_PANELS, Panel, Section
from easymft.report.sections.values import share_point

_HOW = (
    "Texts without labels that each round labelled and chose to learn from, by domain and class."
    " Where their labels are known to the run (no method sees them) the share that is right is"
    " shown: choosing pays where it is larger among the chosen than among all."
)


def self_training(stages: Facts) -> Section:
    """Show what each kept round of self-training chose, and what the gate said."""
    found = stages.get("self_train")
    if found is None:
        return Section("self-training", "Self-training", _HOW)
    panels = [
        panel
        for number, part in enumerate(found["rounds"][:MOST_PANELS], start=1)
        for panel in _right(number, part)
    ]
    notes = [verdict(found)]
    return Section(
        "self-training", "Self-training", _HOW, panels, notes, part="table", tables=tables(found)
    )


def _right(number: int, found: Facts) -> list[Panel]:
    """Picture the share of right pseudo-labels by domain; nothing where no label is known."""
    rows = []
    for domain in found["labeled"]["texts"]:
        all_texts, chosen = (counts(found[kind], domain) for kind in ("labeled", "chosen"))
        points = [
            share_point(right / known, known) if known else None
            for _, known, right in (all_texts, chosen)
        ]
        if any(points):
            rows.append(plots.Row(domain, points, f"{chosen[1]:,} of {all_texts[1]:,} texts"))
    if not rows:
        return []
    label = f"Pseudo-labels that are right, by domain, in round {number}"
    series = ["all without labels", "chosen"]
    picture = plots.dot_and_whisker(rows, series, "right pseudo-labels, %", label)
    return [Panel("Pseudo-labels that are right", picture, f"round {number}")]
