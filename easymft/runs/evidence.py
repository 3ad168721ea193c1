"""What a sweep keeps of its runs: enough to work every table out again, on any machine."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from easymft import files
from easymft.config import Config
from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.report.sweep import PREDICTIONS, MethodFigures, sweep_figures
from easymft.report.sweep_tables import render_markdown_tables

if TYPE_CHECKING:
    from easymft.runs.run import Run

RunKey = tuple[str, str, int]
_KEY = ("variation", "method", "seed")

# `results.parquet`: a row per run, model, split and domain, and one for all domains. `recipe` (the
# complete one) and `versions` are JSON; `fingerprint` is that of the run's data.
RESULTS = pa.schema(
    {
        "variation": pa.string(),
        "method": pa.string(),
        "seed": pa.int64(),
        "model": pa.string(),
        "is_method": pa.bool_(),
        "split": pa.string(),
        "domain": pa.string(),
        "texts": pa.int64(),
        "accuracy": pa.float64(),
        "macro_f1": pa.float64(),
        "calibration_error": pa.float64(),
        "domain_probe": pa.float64(),
        "seconds": pa.float64(),
        "fingerprint": pa.string(),
        "versions": pa.string(),
        "recipe": pa.string(),
    }
)


@dataclass(frozen=True)
class RunEvidence:
    """What is kept of one run.

    Attributes:
        results: Its rows of `RESULTS`.
        predictions: Of the schema `PREDICTIONS`: of its test texts, by the model that the method's
            row of the table stands for.
    """

    results: list[dict[str, Any]]
    predictions: pa.Table


def run_evidence(key: RunKey, run: "Run", summary: dict[str, Any]) -> RunEvidence:
    """Return what is kept of a finished run.

    Args:
        key: The names of its variation and method, and its seed.
        run: The run.
        summary: What `easymft.runs.execution.execute` returned.
    """
    answers = [("model", "=", run.method.answers_by), ("split", "=", "test")]
    table = files.read_parquet(run.folder.predictions, filters=answers)
    columns = {name: pa.repeat(value, len(table)) for name, value in _named(key).items()}
    columns |= {name: table[name] for name in PREDICTIONS.names if name in table.column_names}
    columns["probability"] = [round(max(row), 4) for row in table["probabilities"].to_pylist()]
    predictions = pa.table([columns[name] for name in PREDICTIONS.names], PREDICTIONS.names)
    return RunEvidence(_result_rows(key, run, summary), predictions.cast(PREDICTIONS))


def _named(key: RunKey) -> dict[str, Any]:
    return dict(zip(_KEY, key, strict=True))


def _result_rows(key: RunKey, run: "Run", summary: dict[str, Any]) -> list[dict[str, Any]]:
    stages, diagnostics = summary["stages"], summary["diagnostics"] or {}
    of_run = {
        **_named(key),
        "seconds": sum(stage.get("seconds", 0) for stage in stages.values()),
        "fingerprint": stages["validate"]["fingerprint"],
        "versions": json.dumps(summary["versions"]),
        "recipe": json.dumps(_portable(summary["config"])),
    }
    probe = (diagnostics.get("probe") or {}).get("after") or {}
    rows = []
    for model, splits in summary["metrics"].items():
        is_method = model == run.method.answers_by
        for split, figures in splits.items():
            common = {**of_run, "model": model, "is_method": is_method, "split": split}
            calibration = diagnostics.get("calibration", {}).get(model, {}).get(split) or {}
            average = {
                "domain": None,
                "accuracy": figures["average_accuracy"],
                "macro_f1": figures["average_macro_f1"],
                "calibration_error": calibration.get("average"),
                "domain_probe": probe.get("embedding") if is_method else None,
            }
            rows.append({**common, **average})
            rows += [
                {**common, "domain": domain}
                | {name: own[name] for name in ("texts", "accuracy", "macro_f1")}
                for domain, own in figures["domains"].items()
                if own["texts"]
            ]
    return rows


def _portable(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe without this machine's folders of results."""
    recipe = {key: value for key, value in recipe.items() if key != "output_dir"}
    return recipe | {"sweep": recipe["sweep"] and recipe["sweep"] | {"results": None}}


def write_evidence(folder: Path, runs: Iterable[RunEvidence], config: Config) -> None:
    """Write `predictions.parquet`, `results.parquet` and `config.json`, a sweep's own recipe."""
    runs = list(runs)
    tables = {
        "predictions": pa.concat_tables(run.predictions for run in runs),
        "results": pa.Table.from_pylist([row for run in runs for row in run.results], RESULTS),
    }
    files.write_json(folder / "config.json", _portable(config.to_dict()))
    for name, table in tables.items():
        files.write_parquet(folder / f"{name}.parquet", table, compression="zstd")


def read_evidence(folder: str | Path) -> dict[RunKey, RunEvidence]:
    """Read what `write_evidence` wrote, by run, in the order written.

    Raises:
        InputError: A file is missing, damaged or of another kind.
    """
    path = Path(folder) / "predictions.parquet"
    predictions, results = _read(path, PREDICTIONS), _read(path.with_stem("results"), RESULTS)
    own_rows: dict[RunKey, list[dict[str, Any]]] = {}
    for row in results.to_pylist():
        own_rows.setdefault(tuple(row[name] for name in _KEY), []).append(row)
    answers = predictions.select([*_KEY, "split", "id"]).to_pandas()
    if answers.isna().any(axis=None) or answers.duplicated().any():
        raise InputError("has rows without a run or an id, or a text twice in one run", file=path)
    places = answers.groupby(list(_KEY), sort=False).indices
    return {
        key: RunEvidence(own_rows[key], predictions.take(rows))
        for key, rows in places.items()
        if key in own_rows
    }


def recompute_tables(folder: str | Path) -> str:
    """Return the tables of a sweep or comparison as Markdown, from what `write_evidence` wrote.

    Raises:
        InputError: See `read_evidence`.
    """
    runs, path = read_evidence(folder).values(), Path(folder) / "config.json"
    sweep = load_config(path, is_saved=True).sweep
    # What `--mode compare` leaves is of one recipe, which names no methods to compare with.
    compared = (sweep.compare_with, sweep.compare_in) if sweep else ()
    return render_markdown_tables(evidence_figures(runs, *compared))


def evidence_figures(
    runs: Iterable[RunEvidence],
    compare_with: Sequence[str] = (),
    compare_in: Mapping[str, str | Sequence[str]] | None = None,
) -> dict[str, list[MethodFigures]]:
    """Return what runs found together; see `sweep_figures`."""
    runs = list(runs)
    return sweep_figures(
        pa.concat_tables([PREDICTIONS.empty_table(), *(run.predictions for run in runs)]),
        compare_with,
        [row for run in runs for row in run.results],
        compare_in,
    )


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        return pq.read_table(path).select(schema.names).cast(schema)
    except FileNotFoundError:
        raise InputError("is missing; name a folder that a sweep wrote", file=path) from None
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"is damaged, or not what a sweep writes ({reason})", file=path) from None
