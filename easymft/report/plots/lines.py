"""Curves over a common axis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from easymft.report.plots import canvas
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
    """Curves that differ by colour, dashes and marker; of many, all in grey and their median.

    Args:
        curves: What to draw. Values that are not finite leave gaps.
        xlabel: What the horizontal axis shows, with its unit.
        ylabel: What the vertical axis shows, with its unit.
        label: The picture in words.
        each: What a single one of many curves is called.
        diagonal: Name of a reference line from corner to corner.
        limits: Limits of both axes; `None`: as the curves need, the horizontal from 0.
    """
    many = len(curves) > _TOLD_APART
    names = [each, "median"] if many else [curve.name for curve in curves]
    names = [
        shorten(name, canvas.WIDTH - 60) for name in (*names, *([diagonal] if diagonal else []))
    ]
    named = names if len(names) > 1 else []
    top = canvas.legend_height(named) + 10
    axes = canvas.new_axes(top + 216, 58, 14, top, 48)
    handles = _alike(axes, curves) if many else _distinct(axes, curves)
    if limits:
        axes.set_xlim(*limits[0])
        axes.set_ylim(*limits[1])
    else:
        axes.set_xlim(left=0)
    if diagonal:
        line = ([0, 1], [0, 1])
        handles += axes.plot(
            *line, color=canvas.MUTED, ls=(0, (4, 3)), lw=1.2, transform=axes.transAxes
        )
    axes.grid(True)
    axes.locator_params(nbins=6)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    if named:
        canvas.add_legend(axes.figure, handles, named)
    return axes.figure, label


def _distinct(axes, curves: Sequence[Line]) -> list:
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


def _alike(axes, curves: Sequence[Line]) -> list:
    for curve in curves:
        each = axes.plot(curve.x, curve.y, color=canvas.GREY, lw=0.8, marker="o", markersize=2)
    xs = np.unique(np.concatenate([curve.x for curve in curves]))
    at = [np.interp(xs, curve.x, curve.y) for curve in curves]
    median = axes.plot(xs, np.median(at, axis=0), color=canvas.BLUE, lw=2.4, marker="o")
    return [*each, *median]
