"""The common ground of all pictures: size, colours, style, and the way into a page as SVG."""

import functools
import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup
from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from easymft.report.plots.text import clean, text_width

WIDTH = 360  # pixels: fits a phone unscaled, and two fit beside the text of a wide page

INK, MUTED, GRID, PAPER = "#111111", "#666666", "#dddddd", "#ffffff"
# Okabe and Ito's colours, which the colour-blind tell apart; their yellow is too pale for lines.
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY, GREY = "#e69f00", "#56b4e9", "#888888"
COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY)
# Eight markers and seven colours: the pair repeats after 56 names only.
MARKERS = ("o", "D", "^", "s", "v", "P", "X", "*")
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (9, 3)))

# Colours become variables of the page, whose values depend on its light or dark mode.
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    **{color: f"var(--series-{number})" for number, color in enumerate(COLORS)},
}
_STYLE = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,  # a scale that begins at 0.331 says so at every mark
    "font.size": 9,  # points: 12 pixels
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "text.color": INK,
    "text.parse_math": False,  # a name such as `$x^2$` is a name
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 9,
    "xtick.major.size": 3,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9,
    "ytick.major.size": 3,
    "svg.fonttype": "none",  # text stays text: small, searchable, in fonts that have the glyph
}
_LEGEND_ROW, _LEGEND_HANDLE = 18, 42  # pixels


def picture(draw: Callable[..., tuple[Figure, str]]) -> Callable[..., Markup]:
    """Make a function that returns a figure and what it shows in words return inline SVG."""

    @functools.wraps(draw)
    def drawn(*args: object, **kwargs: object) -> Markup:
        with style.context(["default", _STYLE]), warnings.catch_warnings():
            # Only the measuring font lacks them; the browser draws them in one that has them.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            figure, label = draw(*args, **kwargs)
            return _inline_svg(figure, clean(label))

    return drawn


def new_axes(height: float, left: float, right: float, top: float, bottom: float) -> Axes:
    """Return axes of a new figure, `WIDTH` wide, with margins in pixels."""
    figure = Figure(figsize=(WIDTH / 96, height / 96))
    box = (
        left / WIDTH,
        bottom / height,
        (WIDTH - left - right) / WIDTH,
        (height - top - bottom) / height,
    )
    return figure.add_axes(box)


def name_rows(axes: Axes, names: Iterable[tuple[float, str]], **looks: object) -> None:
    """Write names at heights left of the axes; not as ticks, which cost five times as much."""
    for place, name in names:
        axes.annotate(
            name,
            (0, place),
            xytext=(-5, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="center_baseline",
            **looks,
        )


def name_columns(axes: Axes, names: Iterable[tuple[float, str]]) -> None:
    """Write names below the axes."""
    for place, name in names:
        axes.annotate(
            name,
            (place, 0),
            xytext=(0, -5),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="top",
        )


def say_nothing(axes: Axes) -> None:
    """Say in the middle of empty axes that they are empty."""
    axes.text(0.5, 0.5, "no numbers", transform=axes.transAxes, ha="center", color=MUTED)


def legend_height(names: Sequence[str]) -> int:
    """Return the pixels that `add_legend` takes above the axes."""
    if not names:
        return 0
    return -(-len(names) // _legend_columns(names)) * _LEGEND_ROW + 8


def add_legend(
    figure: Figure, handles: Sequence[Artist], names: Sequence[str], marker_scale: float = 1.0
) -> None:
    """Draw a legend along the top of a figure, in as many columns as fit."""
    figure.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(0, 1),
        ncols=_legend_columns(names),
        borderpad=0,
        borderaxespad=0.2,
        columnspacing=1.2,
        handlelength=2.2,
        handletextpad=0.6,
        labelspacing=0.45,
        markerscale=marker_scale,
    )


def _legend_columns(names: Sequence[str]) -> int:
    widest = max(map(text_width, names)) + _LEGEND_HANDLE
    return max(1, min(len(names), int(WIDTH // widest)))


def _inline_svg(figure: Figure, label: str) -> Markup:
    """Return the figure as an `<svg>` element that can stand beside others in one page."""
    buffer = io.StringIO()
    # Identifiers are hashes; the label makes them differ between the pictures of a page.
    with style.context({"svg.hashsalt": label}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    for name in ("metadata", "style"):  # the style would act on the whole page
        for parent in list(root.iter()):
            for child in parent.findall(name):
                parent.remove(child)
    used = set(re.findall(r"(?:#|url\(#)(\w+)", buffer.getvalue()))
    for element in root.iter():
        _tidy(element, used)
    for group in root.iter("g"):
        _share_style(group)
    view_box = root.get("viewBox")
    root.attrib.clear()
    root.attrib.update(
        {"viewBox": view_box, "role": "img", "aria-label": label, "class": "picture"}
    )
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _tidy(element: ElementTree.Element, used: set[str]) -> None:
    for name, value in list(element.attrib.items()):
        del element.attrib[name]
        name = name.rpartition("}")[2]
        if name == "id" and value not in used:
            continue
        if name == "style":
            value = re.sub(r"font-family:[^;]*;? ?", "", value)
            value = re.sub("#[0-9a-f]{6}", lambda m: _VARIABLES.get(m[0], m[0]), value)
        elif name in ("d", "x", "y"):
            value = re.sub(r"\d+\.\d{2,}", lambda m: f"{float(m[0]):.4g}", " ".join(value.split()))
        elif name == "transform" and value.startswith("rotate(-0"):
            continue
        element.set(name, value)
    if element.text and not element.text.strip():
        element.text = None
    if element.tail and not element.tail.strip():
        element.tail = None


def _share_style(group: ElementTree.Element) -> None:
    """Say once what all marks of a curve say each."""
    marks = group.findall("use")
    styles = {mark.get("style") for mark in marks}
    if len(marks) > 1 and len(styles) == 1 and len(marks) == len(group):
        group.set("style", styles.pop())
        for mark in marks:
            del mark.attrib["style"]
