"""Pictures of a report: plain numbers in, inline SVG out. Importing this loads matplotlib."""

from easymft.report.plots.dots import Point, Row, dot_and_whisker
from easymft.report.plots.heat import heat_map
from easymft.report.plots.histogram import class_histogram, shared_bins, top_share
from easymft.report.plots.lines import Line, lines
from easymft.report.plots.scatter import scatter_map

__all__ = [
    "Line",
    "Point",
    "Row",
    "class_histogram",
    "dot_and_whisker",
    "heat_map",
    "lines",
    "scatter_map",
    "shared_bins",
    "top_share",
]
