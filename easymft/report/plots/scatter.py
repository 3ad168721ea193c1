"""Texts as points in a plane."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from easymft.report.plots import canvas
from easymft.report.plots.limits import drawable
from easymft.report.plots.text import shorten

_TOLD_APART = 28  # more groups than this cannot be: the smaller ones are drawn as one
_LEAST = 1e-4  # what both axes span at least: nearer texts are where they are by rounding


@canvas.picture
def scatter_map(
    points: np.ndarray,
    codes: np.ndarray,
    names: Sequence[str],
    xlabel: str,
    ylabel: str,
    label: str,
) -> tuple[Figure, str]:
    """Draw points coloured and shaped by group.

    Args:
        points: `(texts, 2)`; those that are not finite are left out.
        codes: `(texts,)`, the group of each.
        names: Of the groups.
        xlabel: What the horizontal axis shows.
        ylabel: What the vertical axis shows.
        label: The picture in words.
    """
    kept = np.isfinite(drawable(points)).all(axis=1)
    points, (codes, names) = points[kept], _largest(codes[kept], names)
    shown = [shorten(name, 140) for name in names]
    top = canvas.legend_height(shown) + 8
    axes = canvas.new_axes(top + 330, 26, 8, top, 32)
    size = 4.0 if len(points) > 300 else 5.5
    handles = [
        axes.plot(
            *points[codes == code].T,
            canvas.MARKERS[code % 8] if code < _TOLD_APART else ".",
            color=canvas.COLORS[code % 7] if code < _TOLD_APART else canvas.GREY,
            markersize=size,
            markeredgewidth=0.4,
            markeredgecolor=canvas.PAPER,
            alpha=0.85,
            clip_on=False,
        )[0]
        for code in range(len(names))
    ]
    if len(points):
        axes.update_datalim(points.mean(axis=0) + np.array([[-_LEAST], [_LEAST]]) / 2)
        axes.autoscale_view()
    else:
        canvas.say_nothing(axes)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xticks=[], yticks=[], xlabel=xlabel, ylabel=ylabel)
    axes.spines[:].set_visible(True)
    canvas.add_legend(axes.figure, handles, shown, marker_scale=6 / size)
    return axes.figure, f"{label}. {len(points)} texts"


def _largest(codes: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, Sequence[str]]:
    """Return codes and names of the groups that can be told apart; the smaller ones become one."""
    if len(names) <= _TOLD_APART:
        return codes, names
    counts = np.bincount(codes, minlength=len(names))
    largest = np.sort(np.argsort(-counts, kind="stable")[:_TOLD_APART])
    places = np.full(len(names), _TOLD_APART)
    places[largest] = np.arange(_TOLD_APART)
    rest = f"{len(names) - _TOLD_APART} smaller"
    return places[codes], [*(names[place] for place in largest), rest]
