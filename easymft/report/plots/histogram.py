"""How the scores of a domain's classes are spread."""

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from easymft.report.plots import canvas
from easymft.report.plots.limits import drawable, spread
from easymft.report.plots.text import shorten, text_width

_BINS = 25  # odd: what is the same everywhere falls into the middle of one
_LEAST = 0.02  # of a typicality, whose range is 2
_OUTLINES = 4  # with more classes, outlines would hide one another: each gets a row of shades
_NAME = 104


def shared_bins(scores: np.ndarray) -> np.ndarray:
    """Return bin edges for all panels of a report: `(bins + 1,)`."""
    return np.linspace(*spread(scores, _LEAST), _BINS + 1)


def top_share(classes: Mapping[str, np.ndarray], bins: np.ndarray) -> float:
    """Return the largest share of a class in one bin, in percent."""
    return max((_shares(scores, bins).max() for scores in classes.values()), default=0.0)


@canvas.picture
def class_histogram(
    classes: Mapping[str, np.ndarray], bins: np.ndarray, top: float, xlabel: str, label: str
) -> tuple[Figure, str]:
    """Draw the scores of the classes of one domain.

    Args:
        classes: Class name to scores `(texts,)`; at least one class.
        bins: Edges, `(bins + 1,)`.
        top: Where the axis of shares ends, in percent.
        xlabel: What is scored.
        label: The picture in words; the medians are added to it.
    """
    shares = {name: _shares(scores, bins) for name, scores in classes.items()}
    label = f"{label}. {'; '.join(_in_words(*entry) for entry in classes.items())}"
    if len(shares) > _OUTLINES:
        return _shades(shares, bins, top, xlabel), label
    names = [shorten(name, 150) for name in shares]
    above = canvas.legend_height(names) + 8
    axes = canvas.new_axes(above + 180, 50, 14, above, 48)
    handles = []
    for number, share in enumerate(shares.values()):
        color = canvas.COLORS[number % 7]
        axes.stairs(share, bins, fill=True, color=color, alpha=0.13)
        handles.append(axes.stairs(share, bins, color=color, lw=1.6, ls=canvas.DASHES[number % 5]))
    axes.set(xlim=(bins[0], bins[-1]), ylim=(0, max(top, 1) * 1.05))
    axes.set(xlabel=xlabel, ylabel="texts of the class, %")
    axes.grid(True)
    axes.locator_params(axis="x", nbins=6)
    axes.locator_params(axis="y", nbins=4)
    if not any(share.any() for share in shares.values()):
        canvas.say_nothing(axes)
    canvas.add_legend(axes.figure, handles, names)
    return axes.figure, label


def _shades(shares: dict[str, np.ndarray], bins: np.ndarray, top: float, xlabel: str) -> Figure:
    names = [shorten(name, _NAME) for name in shares]
    left = max(map(text_width, names)) + 14
    axes = canvas.new_axes(18 * len(names) + 54, left, 14, 6, 48)
    image = np.empty((len(names), len(bins) - 1, 4))
    image[..., :3] = to_rgb(canvas.BLUE)
    image[..., 3] = np.stack(list(shares.values())) / max(top, 1)
    extent = (bins[0], bins[-1], len(names) - 0.5, -0.5)
    axes.imshow(image, interpolation="none", aspect="auto", extent=extent, zorder=0)
    axes.hlines(np.arange(1, len(names)) - 0.5, bins[0], bins[-1], color=canvas.GRID, lw=0.6)
    canvas.name_rows(axes, enumerate(names))
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel(xlabel)
    return axes.figure


def _shares(scores: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return texts per bin in percent of the class's texts that have a score."""
    scores = scores[np.isfinite(drawable(scores))]
    return 100 * np.histogram(scores, bins)[0] / max(len(scores), 1)


def _in_words(name: str, scores: np.ndarray) -> str:
    known = scores[np.isfinite(drawable(scores))]
    return f"{name}: median {np.median(known):.2f}" if known.size else f"{name}: no numbers"
