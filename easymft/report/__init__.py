"""Tables and reports, made of plain results only."""

from easymft.report.html import render_html
from easymft.report.run_markdown import case_study_table, render_markdown, results_table

__all__ = ["case_study_table", "render_html", "render_markdown", "results_table"]
