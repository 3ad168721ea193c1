"""Estimates of several named rows, each as a dot with its interval as a whisker."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from easymft.report.plots import canvas
from easymft.report.plots.limits import drawable
from easymft.report.plots.text import shorten, text_width

_ROW, _SERIES = 14, 13  # pixels of a row, and more for each series
_NAME = 140  # most pixels that a row's name takes
_TOLD = 12  # rows whose values are told in words
_TALL = 25  # rows from which on the scale stands above them too


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
    """Draw rows from top to bottom, one dot and whisker per series.

    Args:
        rows: What to draw.
        series: Names of the series, by colour and marker.
        xlabel: What the axis shows, with its unit.
        label: The picture in words; the values are added to it.
        bounds: What values cannot leave; the axis shows the part that is used.
        reference: A value to compare with, drawn as a dashed line, and its name.
        from_zero: Whether the axis begins at 0.
    """
    rows = [replace(row, points=[_drawable(point) for point in row.points]) for row in rows]
    legend = [*series, reference[1]] if reference else list(series)
    legend = [shorten(name, canvas.WIDTH - 60) for name in legend] if len(legend) > 1 else []
    top = canvas.legend_height(legend) + (24 if len(rows) >= _TALL else 6)
    per_row = max(_ROW + _SERIES * len(series), 30 if any(row.detail for row in rows) else 0)
    height = top + 48 + per_row * max(len(rows), 1)
    axes = canvas.new_axes(height, _names_width(rows) + 14, 14, top, 48)
    handles = [_draw_series(axes, rows, number, len(series)) for number in range(len(series))]
    if reference:
        handles.append(axes.axvline(reference[0], color=canvas.MUTED, ls=(0, (4, 3)), lw=1.2))
    _name_rows(axes, rows, per_row)
    low, high = _span(rows, reference, bounds)
    axes.set(xlim=(0 if from_zero else low, high), xlabel=xlabel, yticks=[])
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.xaxis.grid(True)
    axes.locator_params(axis="x", nbins=6)
    axes.tick_params(labeltop=len(rows) >= _TALL)
    if not any(point for row in rows for point in row.points):
        canvas.say_nothing(axes)
    if legend:
        canvas.add_legend(axes.figure, handles, legend)
    return axes.figure, f"{label}. {_in_words(rows)}"


def _drawable(point: Point | None) -> Point | None:
    """Return a point without what no picture can show; `None` if nothing is left."""
    if point is None:
        return None
    value, low, high = drawable([point.value, point.low, point.high])
    return None if np.isnan(value) else Point(value, low, high)


def _draw_series(axes: Axes, rows: Sequence[Row], number: int, count: int) -> Artist:
    """Draw one of `count` series; returns its entry for the legend."""
    shift = (number - (count - 1) / 2) * 0.62 / count
    drawn = [(n + shift, row.points[number]) for n, row in enumerate(rows) if row.points[number]]
    color = canvas.COLORS[number % 7]
    for y, point in drawn:
        axes.plot([point.low, point.high], [y, y], color=color, solid_capstyle="butt")
    (dots,) = axes.plot(
        [point.value for _, point in drawn],
        [y for y, _ in drawn],
        canvas.MARKERS[number % 8],
        color=color,
        markersize=6.5,
        markeredgecolor=canvas.PAPER,
        markeredgewidth=0.8,
        clip_on=False,
        zorder=3,
    )
    return dots


def _names_width(rows: Sequence[Row]) -> float:
    texts = [shorten(text, _NAME) for row in rows for text in (row.name, row.detail) if text]
    return max(map(text_width, texts), default=20)


def _name_rows(axes: Axes, rows: Sequence[Row], height: int) -> None:
    """Write names, details below them, and lines above summaries; `height` of a row in pixels."""
    names, details = [], []
    for place, row in enumerate(rows):
        shift = 6.4 / height if row.detail else 0
        names.append((place - shift, shorten(row.name, _NAME)))
        if row.detail:
            details.append((place + shift, shorten(row.detail, _NAME)))
        if row.is_summary and place and not rows[place - 1].is_summary:
            axes.axhline(place - 0.5, color=canvas.MUTED, lw=0.6)
    canvas.name_rows(axes, names)
    canvas.name_rows(axes, details, fontsize=8, color=canvas.MUTED)


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
    """Return the part of the bounds that is used, and a little more."""
    points = [point for row in rows for point in row.points if point is not None]
    values = [v for p in points for v in (p.value, p.low, p.high)] + [*(reference or ())[:1]]
    if np.isnan(values).all():
        return bounds
    low, high = np.nanmin(values), np.nanmax(values)
    margin = max(0.06 * (high - low), 0.01 * (bounds[1] - bounds[0]))
    return max(bounds[0], low - margin), min(bounds[1], high + margin)
