"""Texts as points in a plane."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from easymft.report.plots import canvas
from easymft.report.plots.text import shorten


@canvas.picture
def scatter_map(
    points: np.ndarray,
    codes: np.ndarray,
    names: Sequence[str],
    xlabel: str,
    ylabel: str,
    label: str,
) -> tuple[Figure, str]:
    """Points coloured and shaped by group.

    Args:
        points: `(texts, 2)`.
        codes: `(texts,)`, the group of each.
        names: Of the groups.
        xlabel: What the horizontal axis shows.
        ylabel: What the vertical axis shows.
        label: The picture in words.
    """
    shown = [shorten(name, 140) for name in names]
    top = canvas.legend_height(shown) + 8
    axes = canvas.new_axes(top + 330, 26, 8, top, 32)
    size = 4.0 if len(points) > 300 else 5.5
    handles = [
        axes.plot(
            *points[codes == code].T,
            canvas.MARKERS[code % 8],
            color=canvas.COLORS[code % 7],
            markersize=size,
            markeredgewidth=0.4,
            markeredgecolor=canvas.PAPER,
            alpha=0.85,
            clip_on=False,
        )[0]
        for code in range(len(names))
    ]
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xticks=[], yticks=[], xlabel=xlabel, ylabel=ylabel)
    axes.spines[:].set_visible(True)
    canvas.add_legend(axes.figure, handles, shown, marker_scale=6 / size)
    return axes.figure, label
