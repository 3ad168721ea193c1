"""What a sweep found, worked out from the predictions of its runs: accuracies and differences."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from easymft.config import METHODS
from easymft.errors import InputError
from easymft.report.intervals import macro_f1
from easymft.report.statistics import (
    expected_calibration_error,
    mean_and_error,
    paired_difference,
)

# What is kept of a sweep's runs: a row per run and text, answered by the model that the method's
# row of the table stands for. `probability` is that of the predicted class, to four digits, which
# take half the room.
PREDICTIONS = pa.schema(
    {
        "variation": pa.string(),
        "method": pa.string(),
        "seed": pa.int64(),
        "split": pa.string(),
        "id": pa.string(),
        "domain": pa.string(),
        "label": pa.string(),
        "predicted": pa.string(),
        "probability": pa.float32(),
    }
)


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
    predictions: pa.Table,
    compare_with: Sequence[str],
    results: Iterable[Mapping[str, Any]] = (),
    compare_in: Mapping[str, str | Sequence[str]] | None = None,
) -> dict[str, list[MethodFigures]]:
    """Return the table of every variation that has predictions of test texts.

    Args:
        predictions: Of the schema `PREDICTIONS`, of any number of runs.
        compare_with: Names of the methods that every other is compared with.
        results: Tidy results of the runs (see `easymft.runs.evidence.RESULTS`), for what
            predictions do not tell: the domain probe.
        compare_in: Variation -> another, or several, with whose methods of `compare_with` it is
            compared too; they stand in for those that it lacks.

    Raises:
        InputError: Methods of one variation and seed were not tested on the same texts.
    """
    frame = predictions.filter(pc.equal(predictions["split"], "test")).to_pandas()
    frame["right"] = (frame["label"] == frame["predicted"]).astype(float)
    of_methods = [
        row
        for row in results
        if row["is_method"] and row["split"] == "test" and row["domain"] is None
    ]
    variations = {
        name: dict(list(rows.groupby("method", sort=False)))
        for name, rows in frame.groupby("variation", sort=False)
    }
    return {
        name: _variation(
            methods,
            _compared(name, variations, compare_with, (compare_in or {}).get(name, ())),
            [row for row in of_methods if row["variation"] == name],
        )
        for name, methods in variations.items()
    }


def _compared(
    variation: str,
    variations: Mapping[str, Mapping[str, pd.DataFrame]],
    compare_with: Sequence[str],
    others: str | Sequence[str],
) -> dict[str, pd.DataFrame]:
    """Return the predictions that those of a variation are compared with, by title."""
    compared, own = {}, variations[variation]
    for method in compare_with:
        if method in own:
            compared[_title(method)] = own[method]
        for other in [others] if isinstance(others, str) else others:
            if method in variations.get(other, {}):
                title = f"{_title(method)}, {other}" if method in own else _title(method)
                compared.setdefault(title, variations[other][method])
    return compared


def _title(method: str) -> str:
    return METHODS[method].title if method in METHODS else method


def compared_with(methods: Sequence[MethodFigures]) -> list[str]:
    """Return the methods that others are compared with, in the order asked for."""
    # One that is compared with others lacks itself; one that is not has them all.
    fullest_first = sorted(methods, key=lambda method: -len(method.differences))
    return list(dict.fromkeys(name for method in fullest_first for name in method.differences))


def _variation(
    methods: Mapping[str, pd.DataFrame],
    compared: Mapping[str, pd.DataFrame],
    results: Sequence[Mapping[str, Any]],
) -> list[MethodFigures]:
    """Return a row of the table per method, in the order of the predictions."""
    figures = []
    for name, own in methods.items():
        accuracies = own.groupby(["domain", "seed"])["right"].mean().unstack("seed")
        averages = accuracies.mean()
        differences = {
            title: _difference(own, theirs)
            for title, theirs in compared.items()
            if theirs is not own and set(own["seed"]) & set(theirs["seed"])
        }
        figures.append(
            MethodFigures(
                _title(name),
                averages.to_dict(),
                {domain: mean_and_error(seeds.dropna()) for domain, seeds in accuracies.iterrows()},
                mean_and_error(averages),
                differences,
                _others(own, accuracies, [row for row in results if row["method"] == name]),
            )
        )
    return figures


def _difference(one: pd.DataFrame, other: pd.DataFrame) -> tuple[float, float, float]:
    """Compare two methods under the seeds that both have; see `paired_difference`."""
    seeds = set(one["seed"]) & set(other["seed"])
    try:
        return paired_difference(*(part[part["seed"].isin(seeds)] for part in (one, other)))
    except ValueError:
        names = " and ".join(f"`{part['method'].iloc[0]}`" for part in (one, other))
        raise InputError(
            f"variation {one['variation'].iloc[0]}: {names} were not tested on the same texts under"
            " the same seed, each once; only runs on the same data can be compared"
        ) from None


def _by_class(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Return averages over domains under each seed of figures in which classes count alike."""
    groups = rows.groupby(["domain", "seed"])
    codes, classes = pd.factorize(np.concatenate([rows["label"], rows["predicted"]]))
    confusions = np.zeros((groups.ngroups, len(classes), len(classes)))
    np.add.at(confusions, (groups.ngroup(), *codes.reshape(2, -1)), 1)
    texts = confusions.sum(axis=2)  # of each true class
    recalls = np.where(texts, confusions.diagonal(axis1=1, axis2=2) / np.maximum(texts, 1), np.nan)
    found = {"macro-F1": macro_f1(confusions), "balanced accuracy": np.nanmean(recalls, axis=1)}
    return {
        name: pd.Series(values, groups.size().index).unstack().mean()
        for name, values in found.items()
    }


def _others(
    rows: pd.DataFrame, accuracies: pd.DataFrame, results: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[float, float | None]]:
    """Return a method's figures beside its accuracy; the domain probe where every run has it."""
    errors = {
        place: expected_calibration_error(own["probability"], own["right"])
        for place, own in rows.groupby(["domain", "seed"])
    }
    found = {
        "worst domain": accuracies.min(),
        **_by_class(rows),
        "calibration error": pd.Series(errors, dtype=float).unstack().mean(),
        "domain probe": pd.Series([row["domain_probe"] for row in results], dtype=float),
    }
    return {
        name: mean_and_error(seeds)
        for name, seeds in found.items()
        if len(seeds) and seeds.notna().all()
    }
