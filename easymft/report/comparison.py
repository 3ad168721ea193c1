"""A comparison of methods for reading: one table, what they cost, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from easymft.report.markdown import Table, plain_table
from easymft.report.sections.section import Panel, Section
from easymft.report.sweep import MethodFigures
from easymft.report.sweep_tables import tables
from easymft.report.templating import render
from easymft.report.words import percent_and_error

_TRAINING = ("adapt", "typicality", "meta_fine_tune", "self_train", "fine_tune")
_OTHERS = ("balanced accuracy", "macro-F1", "worst domain")
_HEADER = (
    *("method", "accuracy", *_OTHERS, "folds"),
    *("train, s", "all, s", "ms a text", "size, MB"),
)
_HOW = (
    "Every labelled text is held out once, by five-fold cross-validation. Accuracies are averages "
    "over the domains, in percent, ± the standard error over folds; time and size are means: "
    "seconds to train for a fold, and for all of it with reading, answering and reporting; "
    "milliseconds to answer a text."
)


@dataclass(frozen=True)
class Cost:
    """What one run took.

    Attributes:
        training: Seconds from raw scores to trained models.
        prediction: Milliseconds a text, start included.
        megabytes: Size of the models together.
        seconds: Of all stages together.
    """

    training: float
    prediction: float
    megabytes: float
    seconds: float

    @classmethod
    def of(cls, stages: Mapping[str, Mapping[str, Any]]) -> "Cost":
        """Read it from what the stages of a run left."""
        evaluate = stages["evaluate"]
        return cls(
            training=sum(stages[name]["seconds"] for name in _TRAINING if name in stages),
            prediction=1000 * evaluate["predicting_seconds"] / max(evaluate["texts"], 1),
            megabytes=evaluate["model_bytes"] / 1e6,
            seconds=sum(stage["seconds"] for stage in stages.values()),
        )


def comparison_table(
    rows: Mapping[str, MethodFigures], costs: Mapping[str, Sequence[Cost]]
) -> Table:
    """Return the one table: a row a method."""
    body = [list(_HEADER)]
    for name, row in rows.items():
        mean = {
            part: float(np.mean([getattr(cost, part) for cost in costs[name]]))
            for part in ("training", "seconds", "prediction", "megabytes")
        }
        body.append(
            [
                row.title,
                percent_and_error(*row.average),
                *(percent_and_error(*row.others[name]) for name in _OTHERS),
                str(len(row.seeds)),
                f"{mean['training']:.0f}",
                f"{mean['seconds']:.0f}",
                f"{mean['prediction']:.1f}",
                f"{mean['megabytes']:.1f}",
            ]
        )
    return Table(_HOW, body)


def _balance_tables(balances: Mapping[str, MethodFigures]) -> list[Table]:
    """Return the table of one row under each `class_balance`, or none where none was tried."""
    if not balances:
        return []
    body = [["classes balanced by", "accuracy", *_OTHERS, "folds"]]
    for name, row in balances.items():
        others = (percent_and_error(*row.others[other]) for other in _OTHERS)
        body.append([name, percent_and_error(*row.average), *others, str(len(row.seeds))])
    titles = {row.title for row in balances.values()}
    caption = f"{' and '.join(titles)}, by how classes of unequal size are balanced:"
    return [Table(caption, body)]


def render_comparison_markdown(
    rows: Mapping[str, MethodFigures],
    costs: Mapping[str, Sequence[Cost]],
    sentences: Sequence[str],
    balances: Mapping[str, MethodFigures],
) -> str:
    """Return the tables and the advice as Markdown."""
    whole = [comparison_table(rows, costs), *_balance_tables(balances)]
    text = "".join(f"{one.caption}\n\n{plain_table(one.rows)}\n\n" for one in whole)
    return text + "\n".join(f"- {sentence}" for sentence in sentences) + "\n"


def render_comparison_html(
    name: str,
    rows: Mapping[str, MethodFigures],
    costs: Mapping[str, Sequence[Cost]],
    sentences: Sequence[str],
    curve: Sequence[tuple[int, float]],
    balances: Mapping[str, MethodFigures],
) -> str:
    """Return one self-contained page: advice, table, gains, rare classes, learning curve."""
    # Imported here: only those who draw need matplotlib.
    from easymft.report import plots
    from easymft.report.sections.sweep import variation_section

    lead, *others = sentences
    whole = [comparison_table(rows, costs)]
    sections = [Section("table", "Side by side", lead, notes=others, part="table", tables=whole)]
    figures = list(rows.values())
    sections.append(variation_section(0, "Differences", figures, tables(figures)[1:]))
    for one in _balance_tables(balances):
        how = "Accuracy may fall where rare classes are found more often."
        sections.append(Section("rare", "Rare classes", how, part="table", tables=[one]))
    if len(curve) > 1:
        line = plots.Line("", [n for n, _ in curve], [100 * accuracy for _, accuracy in curve])
        picture = plots.lines([line], "labelled texts", "average accuracy, %", "Learning curve")
        how = "Accuracy of the recommended row with a quarter, half and all of the labelled texts."
        sections.append(Section("curve", "More labels", how, [Panel("Learning curve", picture)]))
    values = {"title": name, "kind": "comparison", "description": lead}
    return render("page.html.jinja", sections=sections, **values)
