"""Estimates of several named rows, each as a dot with its interval as a whisker."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from easymft.report.plots import canvas
from easymft.report.plots.text import shorten, text_width

_ROW, _SERIES = 14, 13  # pixels of a row, and more for each series
_NAME = 112  # most pixels that a row's name takes
_TOLD = 12  # rows whose values are told in words


@dataclass(frozen=True)
class Point:
    """An estimate and, where known, its interval."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    """A named row.

    Args:
        name: Shown beside it.
        points: One per series; `None` where a series has none.
        detail: A second, smaller line below the name.
        is_summary: Whether a line sets it off from the rows above.
    """

    name: str
    points: Sequence[Point | None]
    detail: str = ""
    is_summary: bool = False


@canvas.picture
def dot_and_whisker(
    rows: Sequence[Row],
    series: Sequence[str],
    xlabel: str,
    label: str,
    *,
    bounds: tuple[float, float] = (0, 100),
    reference: tuple[float, str] | None = None,
    from_zero: bool = False,
) -> tuple[Figure, str]:
    """Rows from top to bottom, one dot and whisker per series.

    Args:
        rows: What to draw.
        series: Names of the series, by colour and marker.
        xlabel: What the axis shows, with its unit.
        label: The picture in words; the values are added to it.
        bounds: What values cannot leave; the axis shows the part that is used.
        reference: A value to compare with, drawn as a dashed line, and its name.
        from_zero: Whether the axis begins at 0.
    """
    named = [*series, reference[1]] if reference else list(series)
    named = [shorten(name, canvas.WIDTH - 60) for name in named] if len(named) > 1 else []
    top = canvas.legend_height(named) + 6
    per_row = max(_ROW + _SERIES * len(series), 30 if any(row.detail for row in rows) else 0)
    names = [shorten(row.name, _NAME) for row in rows]
    details = [shorten(row.detail, _NAME * 1.15) for row in rows]
    left = max([text_width(text) for text in names + details if text], default=20) + 14
    axes = canvas.new_axes(top + 48 + per_row * max(len(rows), 1), left, 14, top, 48)
    step = 0.62 / max(len(series), 1)
    handles = []
    for number in range(len(series)):
        drawn = [
            (position + (number - (len(series) - 1) / 2) * step, row.points[number])
            for position, row in enumerate(rows)
            if row.points[number] is not None
        ]
        color, marker = canvas.COLORS[number % 7], canvas.MARKERS[number % 8]
        for y, point in drawn:
            if point.low is not None and point.high is not None:
                axes.plot([point.low, point.high], [y, y], color=color, solid_capstyle="butt")
        handles += axes.plot(
            [point.value for _, point in drawn],
            [y for y, _ in drawn],
            marker,
            color=color,
            markersize=6.5,
            markeredgecolor=canvas.PAPER,
            markeredgewidth=0.8,
            clip_on=False,
            zorder=3,
        )
    if reference:
        handles.append(axes.axvline(reference[0], color=canvas.MUTED, ls=(0, (4, 3)), lw=1.2))
    for position, row in enumerate(rows):
        if row.is_summary and position and not rows[position - 1].is_summary:
            axes.axhline(position - 0.5, color=canvas.MUTED, lw=0.6)
    shifts = [6.4 / per_row if detail else 0 for detail in details]
    canvas.name_rows(axes, [n - shift for n, shift in enumerate(shifts)], names)
    below = [(n + shift, text) for n, (shift, text) in enumerate(zip(shifts, details, strict=True))]
    canvas.name_rows(axes, *zip(*below, strict=True), fontsize=8, color=canvas.MUTED)
    axes.set_xlim(*_span(rows, reference, bounds))
    if from_zero:
        axes.set_xlim(left=0)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.grid(True)
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel(xlabel)
    if named:
        canvas.add_legend(axes.figure, handles, named)
    return axes.figure, f"{label}. {_in_words(rows)}"


def _in_words(rows: Sequence[Row]) -> str:
    shown = [
        f"{row.name}: "
        + " and ".join(f"{point.value:.1f}" if point else "none" for point in row.points)
        for row in rows[:_TOLD]
    ]
    return "; ".join(shown) + ("; and more" if len(rows) > _TOLD else "")


def _span(
    rows: Sequence[Row], reference: tuple[float, str] | None, bounds: tuple[float, float]
) -> tuple[float, float]:
    """The part of the bounds that is used, and a little more."""
    points = [point for row in rows for point in row.points if point is not None]
    values = [v for p in points for v in (p.value, p.low, p.high) if v is not None]
    values = [v for v in (*values, *(reference or ())[:1]) if math.isfinite(v)]
    if not values:
        return bounds
    low, high = min(values), max(values)
    margin = max(0.06 * (high - low), 0.01 * (bounds[1] - bounds[0]))
    return max(bounds[0], low - margin), min(bounds[1], high + margin)
