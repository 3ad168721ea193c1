"""The tables of a sweep in the layout of the paper, as Markdown, LaTeX and a web page."""

import re
from collections.abc import Sequence

from easymft.report.markdown import Table, escape, plain_table
from easymft.report.sweep import MethodFigures, compared_with
from easymft.report.templating import render
from easymft.report.words import percent, percent_and_error

Figures = dict[str, list[MethodFigures]]

_ACCURACIES = "Test accuracy in percent: mean over seeds {seeds}, ± standard error of the mean."
_BY_SEED = "Average test accuracy in percent under each seed."
_OTHERS = "Other figures of the same models on test texts, in percent: mean ± standard error."
_DIFFERENCES = (
    "Difference of average accuracies in points, with 95 % interval (bootstrap over test texts and"
    " seeds, paired)."
)
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def tables(methods: Sequence[MethodFigures]) -> list[Table]:
    """Return the tables of one variation; those of which there is nothing to say are left out."""
    made = [part(methods) for part in (_accuracies, _others, _by_seed, _differences)]
    return [one for one in made if len(one.rows[0]) > 1]


def _accuracies(methods: Sequence[MethodFigures]) -> Table:
    domains = list(methods[0].domains)
    rows = [["method", *domains, "average", "seeds"]]
    for method in methods:
        cells = [percent_and_error(*method.domains[domain]) for domain in domains]
        rows.append(
            [method.title, *cells, percent_and_error(*method.average), str(len(method.seeds))]
        )
    return Table(_ACCURACIES.format(seeds=", ".join(map(str, _seeds(methods)))), rows)


def _others(methods: Sequence[MethodFigures]) -> Table:
    names = list(dict.fromkeys(name for method in methods for name in method.others))
    rows = [["method", *names]]
    for method in methods:
        found = [method.others.get(name) for name in names]
        rows.append([method.title, *(percent_and_error(*f) if f else "" for f in found)])
    return Table(_OTHERS, rows)


def _by_seed(methods: Sequence[MethodFigures]) -> Table:
    seeds = _seeds(methods) if len(_seeds(methods)) > 1 else []
    rows = [["method", *(f"seed {seed}" for seed in seeds)]]
    for method in methods:
        found = [method.seeds.get(seed) for seed in seeds]
        rows.append([method.title, *(percent(f, "") for f in found)])
    return Table(_BY_SEED, rows)


def _differences(methods: Sequence[MethodFigures]) -> Table:
    references = compared_with(methods)
    rows = [["method", *(f"minus {name}" for name in references)]]
    for method in methods:
        found = [method.differences.get(name) for name in references]
        if any(found):
            rows.append([method.title, *(_difference(f) if f else "" for f in found)])
    return Table(_DIFFERENCES, rows)


def _seeds(methods: Sequence[MethodFigures]) -> list[int]:
    return sorted({seed for method in methods for seed in method.seeds})


def render_markdown_tables(figures: Figures) -> str:
    """Return all variations' tables as Markdown."""
    parts = []
    for variation, methods in figures.items():
        parts.append(f"## {escape(variation)}\n")
        for one in tables(methods):
            parts += [f"{one.caption}\n", plain_table(one.rows) + "\n"]
    return "\n".join(parts)


def render_latex(figures: Figures) -> str:
    """Return all variations' tables for a LaTeX document (package booktabs)."""
    return "\n".join(
        _latex_table(f"{variation}. {one.caption}", one.rows)
        for variation, methods in figures.items()
        for one in tables(methods)
    )


def render_sweep_html(title: str, description: str, figures: Figures) -> str:
    """Return one self-contained page: a picture and the tables of every variation."""
    # Imported here: only those who draw need matplotlib.
    from easymft.report.sections.sweep import variation_section

    sections = [
        variation_section(number, variation, methods, tables(methods))
        for number, (variation, methods) in enumerate(figures.items())
    ]
    values = {"title": title, "kind": "sweep", "description": description}
    return render("page.html.jinja", sections=sections, **values)


def _difference(ends: tuple[float, float, float]) -> str:
    mean, low, high = (round(100 * end, 1) + 0.0 for end in ends)  # no -0.0
    return f"{mean:+.1f} ({low:+.1f} to {high:+.1f})"


def _latex_table(caption: str, rows: Sequence[Sequence[str]]) -> str:
    lines = [" & ".join(map(_escape_latex, row)) + r" \\" for row in rows]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_escape_latex(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _escape_latex(text: str) -> str:
    line = " ".join(str(text).split())
    inert = re.sub(r"[\\~^&%$#_{}]", lambda m: _LATEX.get(m.group(), "\\" + m.group()), line)
    return inert.replace("±", r"$\pm$")
