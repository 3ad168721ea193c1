"""What a sweep found: every method's accuracies, and how they differ, with intervals."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from easymft.report.statistics import Hits, mean_and_error, paired_difference

# (cell, method, path of its predictions); see `easymft.runs.sweep`
Runs = Sequence[tuple[Any, Any, Path]]
# Figures beside the accuracy, by their column in the tidy results.
_OTHERS = {
    "macro_f1": "macro-F1",
    "calibration_error": "calibration error",
    "domain_probe": "domain probe",
}


@dataclass(frozen=True)
class MethodFigures:
    """A row of the table.

    Attributes:
        title: Name of the method.
        seeds: Seed -> average test accuracy over the domains.
        domains: Domain -> mean test accuracy over the seeds and its standard error, if any.
        average: The same of the average over domains.
        differences: Method compared with -> difference of average accuracies, and the two ends of
            its 95 % interval.
        others: Name of another figure -> its mean over the seeds and standard error, if any.
    """

    title: str
    seeds: Mapping[int, float]
    domains: dict[str, tuple[float, float | None]]
    average: tuple[float, float | None]
    differences: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    others: dict[str, tuple[float, float | None]] = field(default_factory=dict)


def sweep_figures(
    runs: Runs, rows: Sequence[Mapping[str, Any]], compare_with: Sequence[str]
) -> dict[str, list[MethodFigures]]:
    """The table of every variation that has runs with test texts.

    Args:
        runs: The finished runs.
        rows: Their tidy results; see `easymft.runs.sweep.result_rows`.
        compare_with: Names of the methods that every other is compared with.
    """
    tables = {}
    for variation in dict.fromkeys(cell.variation for cell, _, _ in runs):
        hits: dict[str, dict[int, Hits]] = {}
        titles, others = {}, {}
        for cell, method, path in runs:
            found = _hits(path, method.answers_by)
            if cell.variation == variation and found:
                titles[cell.method] = method.title
                others[cell.method] = _others(rows, variation, cell.method)
                hits.setdefault(cell.method, {})[cell.seed] = found
        if hits:
            tables[variation] = [
                _figures(titles, hits, name, [r for r in compare_with if r in hits], others[name])
                for name in hits
            ]
    return tables


def _figures(
    titles: dict[str, str],
    hits: dict[str, dict[int, Hits]],
    name: str,
    references: Sequence[str],
    others: dict[str, tuple[float, float | None]],
) -> MethodFigures:
    own = hits[name]
    accuracies = {
        domain: np.array([np.mean(list(seed[domain].values())) for seed in own.values()])
        for domain in next(iter(own.values()))
    }
    differences = {}
    for reference in references:
        seeds = [seed for seed in own if seed in hits[reference]]
        if reference != name and seeds:
            other = [hits[reference][seed] for seed in seeds]
            difference = paired_difference([own[seed] for seed in seeds], other)
            differences[titles[reference]] = difference
    averages = np.mean(list(accuracies.values()), axis=0)
    return MethodFigures(
        titles[name],
        dict(zip(own, averages.tolist(), strict=True)),
        {domain: mean_and_error(values) for domain, values in accuracies.items()},
        mean_and_error(averages),
        differences,
        others,
    )


def _others(
    rows: Sequence[Mapping[str, Any]], variation: str, method: str
) -> dict[str, tuple[float, float | None]]:
    """Figures of a method beside its accuracy, those that every one of its runs has."""
    own = [
        row
        for row in rows
        if (row["variation"], row["method"], row["split"]) == (variation, method, "test")
        and row["is_method"]
        and row["domain"] is None
    ]
    found = {title: [row.get(key) for row in own] for key, title in _OTHERS.items()}
    return {title: mean_and_error(values) for title, values in found.items() if None not in values}


@functools.cache
def _hits(path: Path, model: str) -> Hits:
    """Which test texts a model got right: domain -> text id -> 1.0 or 0.0."""
    columns = ["model", "split", "id", "domain", "label", "predicted"]
    hits: dict[str, dict[str, float]] = {}
    for row in pq.read_table(path, columns=columns).to_pylist():
        if (row["model"], row["split"]) == (model, "test"):
            right = float(row["label"] == row["predicted"])
            hits.setdefault(row["domain"], {})[row["id"]] = right
    return dict(sorted(hits.items()))
