"""A matrix as shades of one colour, with its numbers where there is room."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from easymft.report.plots import canvas
from easymft.report.plots.limits import LEAST, drawable
from easymft.report.plots.text import shorten, text_width

_NAME = 104  # most pixels that a name takes
_TALL = 720  # most pixels of height
_TEXT_CELL = 24  # pixels of a cell that has room for its number
_TEXT_DEPTH, _DEPTH = 0.6, 0.95  # opacity of the deepest shade with and without numbers on it
_TOLD = 6  # rows that are told in words


@canvas.picture
def heat_map(
    values: np.ndarray,
    names: Sequence[str],
    label: str,
    *,
    groups: Sequence[str] = (),
    texts: Sequence[Sequence[str]] = (),
    span: tuple[float, float] | None = (0.0, 1.0),
    xlabel: str = "",
    ylabel: str = "",
    scale: str = "",
) -> tuple[Figure, str]:
    """Draw a square matrix; the shade is opacity, so it works on light and on dark paper.

    Args:
        values: `(n, n)`, at least one; what is not finite leaves a cell blank.
        names: Of the rows and columns, each for `n / len(names)` neighbours.
        label: The picture in words.
        groups: Names of equal groups of neighbouring rows.
        texts: What to write into the cells; left out where they are too small.
        span: The values of the palest and the deepest shade; `None`: the least and the greatest,
            or a lower one than the least where all are nearly alike.
        xlabel: What a column is.
        ylabel: What a row is.
        scale: What the shade shows, with its unit.
    """
    size, count = len(values), len(names)
    room = (canvas.WIDTH - 130) / count  # for a name below its column
    numbered = count > 3 or any(text_width(name) > room for name in names)
    rows = [f"{n} {name}" if numbered else name for n, name in enumerate(names, 1)]
    rows = [shorten(name, _NAME) for name in rows]
    left = max(map(text_width, rows)) + 12 + (22 if ylabel or groups else 0)
    side = canvas.WIDTH - left - 14
    tall = max(min(side, 64 * size), min(17 * count, _TALL), 90)
    widest = max((text_width(text) for row in texts for text in row), default=np.inf)
    # The width is guessed generously; a number may touch the lines of its cell.
    written = side / size >= max(_TEXT_CELL, 0.85 * widest)
    bottom = (36 if xlabel else 26) + (8 if written else 64)
    axes = canvas.new_axes(tall + bottom + 8, left, 14, 8, bottom)
    depth = _TEXT_DEPTH if written else _DEPTH
    values = drawable(values)
    low, high = span or _span(values)
    shades = _rgba(np.clip((values - low) / (high - low), 0, 1), depth)
    axes.imshow(shades, interpolation="none", aspect="auto", zorder=0)
    if np.isnan(values).all():
        canvas.say_nothing(axes)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    _name_cells(axes, size, rows, numbered, side, tall)
    axes.set_xlabel(xlabel, labelpad=18)
    _write_beside(axes, [ylabel] if ylabel else groups, left, tall)
    if written:
        for row, column in np.ndindex(size, size):
            axes.text(column, row, texts[row][column], ha="center", va="center_baseline")
    else:
        _shade_bar(axes.figure, left, side, depth, (low, high), scale)
    return axes.figure, f"{label}{_in_words(names, texts)}"


def _span(values: np.ndarray) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not known.size:
        return 0.0, 1.0
    high, least = float(known.max()), LEAST * float(np.abs(known).max()) or 1.0
    return min(float(known.min()), high - least), high


def _name_cells(
    axes: Axes, size: int, rows: list[str], numbered: bool, side: float, tall: float
) -> None:
    """Write names in the middle of rows and columns, as many as fit, and lines between them."""
    count = len(rows)
    columns = [str(n + 1) for n in range(count)] if numbered else rows
    block = size / count
    centers = np.arange(count) * block + (block - 1) / 2
    widest = max(20, text_width(columns[-1]) + 4) if numbered else 20
    x_every, y_every = int(-(-widest * count // side)), int(-(-15 * count // tall))
    canvas.name_columns(axes, zip(centers[::x_every], columns[::x_every], strict=True))
    canvas.name_rows(axes, zip(centers[::y_every], rows[::y_every], strict=True))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if side / count > 5:
        edges, ends = np.arange(count + 1) * block - 0.5, (-0.5, size - 0.5)
        axes.hlines(edges, *ends, color=canvas.PAPER, lw=1)
        axes.vlines(edges, *ends, color=canvas.PAPER, lw=1)


def _write_beside(axes: Axes, names: Sequence[str], left: float, tall: float) -> None:
    """Write names along the left edge, each over its part of the height, and lines between them."""
    for number, name in enumerate(names):
        axes.annotate(
            shorten(name, tall / len(names) - 4),
            (0, 1 - (number + 0.5) / len(names)),
            xytext=((12 - left) * 0.75, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            rotation=90,
            rotation_mode="anchor",
            ha="center",
            va="center_baseline",
        )
    edges = np.arange(1, len(names)) / max(len(names), 1)
    low, high = axes.get_xlim()
    axes.hlines(low + edges * (high - low), low, high, color=canvas.INK, lw=1)
    axes.vlines(low + edges * (high - low), low, high, color=canvas.INK, lw=1)


def _rgba(shade: np.ndarray, depth: float) -> np.ndarray:
    image = np.empty((*shade.shape, 4))
    image[..., :3] = to_rgb(canvas.BLUE)
    image[..., 3] = np.nan_to_num(0.04 + (depth - 0.04) * shade, nan=0.0)
    return image


def _shade_bar(
    figure: Figure, left: float, side: float, depth: float, span: tuple[float, float], scale: str
) -> None:
    height = figure.get_figheight() * 96
    bar = figure.add_axes((left / canvas.WIDTH, 36 / height, side / canvas.WIDTH, 10 / height))
    shades = _rgba(np.linspace(0, 1, 32)[None], depth)
    bar.imshow(shades, interpolation="none", aspect="auto", extent=(*span, 0, 1), zorder=0)
    bar.set_yticks([])
    bar.locator_params(axis="x", nbins=4)
    bar.set_xlabel(scale)
    bar.spines[:].set_visible(False)


def _in_words(names: Sequence[str], texts: Sequence[Sequence[str]]) -> str:
    """Return what stands in the cells of a small matrix whose rows have names of their own."""
    if not len(texts) == len(names) <= _TOLD:
        return ""
    rows = zip(names, texts, strict=True)
    return ". " + "; ".join(f"{name}: {', '.join(cells)}" for name, cells in rows)
