"""A variation of a sweep: methods side by side, and what they gain over others."""

from collections.abc import Sequence
from typing import Any

from easymft.report import plots
from easymft.report.sections.section import Panel, Section
from easymft.report.sweep import MethodFigures, compared_with

_HOW = (
    "Dots are means over seeds. In the first picture the whiskers reach two standard errors over"
    " seeds; methods share the test texts, so what tells them apart are the differences in the"
    " second: where a whisker leaves 0 out, chance alone hardly explains the gain."
)


def variation_section(
    number: int, name: str, methods: Sequence[MethodFigures], tables: Sequence[Any]
) -> Section:
    """Show pictures and tables of one variation."""
    rows = [plots.Row(m.title, [_mean_point(*m.average)]) for m in methods]
    xlabel = "average test accuracy, %"
    panels = [Panel("Accuracy", plots.dot_and_whisker(rows, [""], xlabel, f"Accuracy, {name}"))]
    references = compared_with(methods)
    if references:
        gains = [
            plots.Row(m.title, [_gain_point(m.differences.get(other)) for other in references])
            for m in methods
            if m.differences
        ]
        svg = plots.dot_and_whisker(
            gains,
            [f"minus {other}" for other in references],
            "difference, points",
            f"Gains, {name}",
            bounds=(-100, 100),
            reference=(0, "no difference"),
        )
        panels.append(Panel("Gain over other methods", svg))
    return Section(f"variation-{number}", name, _HOW, panels, part="table", tables=tables)


def _mean_point(mean: float, error: float | None) -> plots.Point:
    mean, reach = 100 * mean, None if error is None else 200 * error
    return plots.Point(mean) if reach is None else plots.Point(mean, mean - reach, mean + reach)


def _gain_point(ends: tuple[float, float, float] | None) -> plots.Point | None:
    return plots.Point(*(100 * end for end in ends)) if ends else None
