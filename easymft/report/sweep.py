"""The tables of a sweep, in the layout of the paper: methods down, domains across."""

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from easymft.report.markdown import escape, table
from easymft.report.statistics import Hits, mean_and_error, paired_difference

# (cell, method, path of its predictions)
Runs = Sequence[tuple[Any, Any, Path]]

_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def render_markdown_tables(runs: Runs, compare_with: Sequence[str]) -> str:
    """Accuracy per method and domain, then differences with intervals, a part per variation."""
    parts = []
    for variation, rows, differences, seeds in _variations(runs, compare_with, escape):
        parts.append(f"## {escape(variation)}\n")
        parts.append(
            f"Test accuracy in percent: mean over seeds {', '.join(map(str, seeds))}, "
            "± standard error of the mean.\n"
        )
        parts.append(table(rows) + "\n")
        if len(differences) > 1:
            parts.append(
                "Difference of average accuracies in points, with 95 % interval (bootstrap over "
                "test texts and seeds, paired).\n"
            )
            parts.append(table(differences) + "\n")
    return "\n".join(parts)


def render_latex(runs: Runs, compare_with: Sequence[str]) -> str:
    """The same tables for a LaTeX document (package booktabs)."""
    parts = []
    for variation, rows, differences, seeds in _variations(runs, compare_with, _escape_latex):
        caption = f"{_escape_latex(variation)}, seeds {', '.join(map(str, seeds))}"
        for body in (rows, differences):
            if len(body) > 1:
                parts.append(_latex_table(caption, body))
    return "\n".join(parts)


def _variations(runs: Runs, compare_with: Sequence[str], escape_: Callable[[str], str]):
    """Yield each variation's name, accuracy rows, difference rows and seeds, header rows first."""
    for variation in dict.fromkeys(cell.variation for cell, _, _ in runs):
        hits: dict[str, dict[int, Hits]] = {}
        titles = {}
        for cell, method, path in runs:
            if cell.variation == variation:
                titles[cell.method] = escape_(method.title)
                found = hits_of(path, "fine_tuned" if method.fine_tunes else "meta_learner")
                hits.setdefault(cell.method, {})[cell.seed] = found
        hits = {name: seeds for name, seeds in hits.items() if any(map(len, seeds.values()))}
        if not hits:
            continue
        domains = list(next(iter(next(iter(hits.values())).values())))
        rows = [["method", *map(escape_, domains), "average", "seeds"]]
        for name, by_seed in hits.items():
            accuracies = np.array(
                [[np.mean(list(own[d].values())) for d in domains] for own in by_seed.values()]
            )
            cells = [_percent(accuracies[:, i]) for i in range(len(domains))]
            average = _percent(accuracies.mean(axis=1))
            rows.append([titles[name], *cells, average, str(len(by_seed))])
        references = [name for name in compare_with if name in hits]
        differences = [["method", *(f"minus {titles[name]}" for name in references)]]
        for name in hits:
            if cells := [_difference(hits[name], hits[r]) if r != name else "" for r in references]:
                differences.append([titles[name], *cells])
        seeds = sorted({seed for by_seed in hits.values() for seed in by_seed})
        yield variation, rows, differences, seeds


@functools.cache
def hits_of(path: Path, model: str) -> Hits:
    """Which test texts a model got right: domain -> text id -> 1.0 or 0.0."""
    columns = ["model", "split", "id", "domain", "label", "predicted"]
    rows = pq.read_table(path, columns=columns).to_pylist()
    hits: dict[str, dict[str, float]] = {}
    for row in rows:
        if (row["model"], row["split"]) == (model, "test"):
            right = float(row["label"] == row["predicted"])
            hits.setdefault(row["domain"], {})[row["id"]] = right
    return dict(sorted(hits.items()))


def _percent(values: np.ndarray) -> str:
    mean, error = mean_and_error(100 * values)
    return f"{mean:.1f}" if error is None else f"{mean:.1f} ± {error:.1f}"


def _difference(one: dict[int, Hits], other: dict[int, Hits]) -> str:
    seeds = [seed for seed in one if seed in other]
    if not seeds:
        return ""
    ends = paired_difference([one[s] for s in seeds], [other[s] for s in seeds])
    mean, low, high = (100 * end for end in ends)
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def _latex_table(caption: str, rows: Sequence[Sequence[str]]) -> str:
    columns = "l" + "r" * (len(rows[0]) - 1)
    lines = [" & ".join(row).replace("±", r"$\pm$") + r" \\" for row in rows]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{caption}}}",
            rf"\begin{{tabular}}{{{columns}}}",
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
    return re.sub(r"[\\~^&%$#_{}]", lambda m: _LATEX.get(m.group(), "\\" + m.group()), line)
