"""Curves over a common axis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from easymft.report.plots import canvas
from easymft.report.plots.limits import drawable, spread
from easymft.report.plots.text import shorten

_TOLD_APART = 8  # more curves than this are drawn alike, with their median


@dataclass(frozen=True)
class Line:
    """A named curve."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@canvas.picture
def lines(
    curves: Sequence[Line],
    xlabel: str,
    ylabel: str,
    label: str,
    *,
    each: str = "each",
    diagonal: str | None = None,
    limits: tuple[tuple[float, float], tuple[float, float]] | None = None,
) -> tuple[Figure, str]:
    """Draw curves that differ by colour, dashes and marker; of many, all in grey and their median.

    Args:
        curves: What to draw. Values that are not finite leave gaps.
        xlabel: What the horizontal axis shows, with its unit.
        ylabel: What the vertical axis shows, with its unit.
        label: The picture in words; where the curves begin and end is added to it.
        each: What a single one of many curves is called.
        diagonal: Name of a reference line from corner to corner.
        limits: Limits of both axes; `None`: as the curves need, the horizontal from 0.
    """
    curves = [Line(curve.name, drawable(curve.x), drawable(curve.y)) for curve in curves]
    many = len(curves) > _TOLD_APART
    told = [Line("median", *_median(curves))] if many else curves
    legend = [*([each] if many else []), *(curve.name for curve in told)]
    legend += [diagonal] if diagonal else []
    legend = [shorten(name, canvas.WIDTH - 60) for name in legend] if len(legend) > 1 else []
    top = canvas.legend_height(legend) + 10
    axes = canvas.new_axes(top + 216, 58, 14, top, 48)
    handles = _draw_alike(axes, curves, told[0]) if many else _draw_distinct(axes, curves)
    if diagonal:
        line = ([0, 1], [0, 1])
        handles += axes.plot(
            *line, color=canvas.MUTED, ls=(0, (4, 3)), lw=1.2, transform=axes.transAxes
        )
    y = np.concatenate([[], *(curve.y for curve in curves)])
    if limits:
        axes.set(xlim=limits[0], ylim=limits[1])
    else:
        axes.set_xlim(left=0)
        axes.set_ylim(*spread(y))
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(True)
    axes.locator_params(nbins=6)
    if np.isnan(y).all():
        canvas.say_nothing(axes)
    if legend:
        canvas.add_legend(axes.figure, handles, legend)
    return axes.figure, f"{label}. {'; '.join(_in_words(curve, xlabel) for curve in told)}"


def _draw_distinct(axes: Axes, curves: Sequence[Line]) -> list[Artist]:
    return [
        axes.plot(
            curve.x,
            curve.y,
            color=canvas.COLORS[number % 7],
            ls=canvas.DASHES[number % 5],
            marker=canvas.MARKERS[number % 8],
            markevery=max(1, len(curve.x) // 12),
            clip_on=False,
        )[0]
        for number, curve in enumerate(curves)
    ]


def _draw_alike(axes: Axes, curves: Sequence[Line], median: Line) -> list[Artist]:
    for curve in curves:
        (each,) = axes.plot(curve.x, curve.y, color=canvas.GREY, lw=0.8, marker="o", markersize=2)
    return [each, *axes.plot(median.x, median.y, color=canvas.BLUE, lw=2.4, marker="o")]


def _median(curves: Sequence[Line]) -> tuple[np.ndarray, np.ndarray]:
    """Return the median, at every place where a curve has a value, of those that reach so far."""
    known = [
        (curve.x[kept], curve.y[kept]) for curve in curves if (kept := ~np.isnan(curve.y)).any()
    ]
    xs = np.unique(np.concatenate([[], *(x for x, _ in known)]))
    at = [np.interp(xs, x, y, left=np.nan, right=np.nan) for x, y in known]
    return xs, np.nanmedian(at, axis=0) if known else xs


def _in_words(curve: Line, xlabel: str) -> str:
    known = np.flatnonzero(~np.isnan(curve.y))
    if not known.size:
        return f"{curve.name}: no numbers"
    where = xlabel.split(",")[0]
    first, last = (f"{curve.y[i]:.3g} at {where} {curve.x[i]:.3g}" for i in known[[0, -1]])
    return f"{curve.name}: {first}" + (f" to {last}" if len(known) > 1 else "")
