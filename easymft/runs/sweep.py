"""Many runs of one recipe and the tables made of them: methods x seeds x variations."""

import gc
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import pyarrow as pa

from easymft import files
from easymft.config import Config
from easymft.config.loading import load_config
from easymft.report.sweep import sweep_figures
from easymft.report.sweep_tables import (
    render_latex,
    render_markdown_tables,
    render_sweep_html,
)
from easymft.runs.experiment import Experiment
from easymft.runs.plan import plan

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Attributes:
        variation: Name of its variation.
        method: Name of its method.
        seed: Its seed.
        settings: What it sets in the recipe, beside method and seed: dotted key -> value.
    """

    variation: str
    method: str
    seed: int
    settings: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.variation}, {self.method}, seed {self.seed}"


class CellRunner:
    """Runs cells of one recipe one after another; cells that are finished are only read.

    Args:
        recipe: Path of the recipe.
        overrides: `key=value` settings of the command line.
        folder: Where the cells' run folders are made.
    """

    def __init__(self, recipe: str | Path, overrides: Sequence[str], folder: Path):
        self.recipe, self.overrides, self.folder = recipe, list(overrides), folder

    def config(self, cell: Cell) -> Config:
        """The recipe of one cell.

        It is read anew: filling in defaults comes after all settings are known, since one setting
        (`mft.variant`) decides what others are.
        """
        own = {
            "name": cell.variation,
            "method": cell.method,
            "seed": cell.seed,
            "output_dir": str(self.folder),
            "sweep": None,
            "search": None,
            **cell.settings,
        }
        settings = [f"{key}={json.dumps(value)}" for key, value in own.items()]
        return load_config(self.recipe, [*self.overrides, *settings])

    def plan(self, cells: Sequence[Cell]) -> Iterator[str]:
        """What running cells would do: a line per variation and method, and one for all."""
        groups: dict[tuple[str, str], list[Experiment]] = {}
        for cell in cells:
            group = groups.setdefault((cell.variation, cell.method), [])
            group.append(Experiment(self.config(cell)))
        total, speeds = 0.0, {}
        for (variation, method), experiments in groups.items():
            state = experiments[0].state
            encoder = state.config.model_dump_json(include={"backbone", "precision"})
            planned = plan(state, speeds.get(encoder))
            planned.report.raise_for_problems()
            speeds[encoder] = planned.text_seconds
            waiting = sum(not e.folder.is_done("report") for e in experiments)
            total += waiting * planned.minutes
            yield (
                f"{variation}, {method}: {waiting} of {len(experiments)} runs to do; each sees "
                f"{planned.texts_seen:,} training texts, about {max(planned.minutes, 1):.0f} min"
            )
        yield f"estimated time of all: about {max(total, 1):.0f} min"

    def run(
        self, cells: Sequence[Cell], restart: bool = False
    ) -> Iterator[tuple[Cell, Experiment, dict[str, Any], bool]]:
        """Yield every cell with its experiment, its summary and whether it ran just now.

        Args:
            cells: What to run, in this order.
            restart: Move finished and unfinished runs aside, and begin anew.
        """
        # All recipes are checked before the first hour is spent.
        configs = [self.config(cell) for cell in cells]
        spent, ran = 0.0, 0
        for number, (cell, config) in enumerate(zip(cells, configs, strict=True), start=1):
            experiment = Experiment(config)
            fresh = restart or not experiment.folder.is_done("report")
            start = time.monotonic()
            summary = experiment.run(restart=restart)
            if fresh:
                spent, ran = spent + time.monotonic() - start, ran + 1
                waiting = [
                    later
                    for later in configs[number:]
                    if restart or not Experiment(later).folder.is_done("report")
                ]
                left = len(waiting) * spent / ran
                logger.info(
                    "%d of %d: %s: %s; %.0f s, about %.0f min left",
                    *(number, len(cells), cell, outcome(experiment, summary)),
                    *(time.monotonic() - start, left / 60),
                )
            yield cell, experiment, summary, fresh
            # A finished run's graphs are of no use to the next.
            del experiment
            keras.utils.clear_session()
            gc.collect()


class Sweep:
    """The runs of a recipe's `sweep`, and their tables.

    Leaves, under `output_dir/<recipe>/`: a run folder per cell (`<variation>/<method>/seed-<n>`),
    `results.parquet` (a row per run, model, split and domain), `tables.md`, `tables.tex` and
    `report.html`. These are written anew after every run, so an unfinished sweep already has some.

    Args:
        recipe: Path of a recipe with a `sweep` section.
        overrides: `key=value` settings of the command line.
    """

    def __init__(self, recipe: str | Path, overrides: Sequence[str] = ()):
        self.config = load_config(recipe, overrides)
        self.folder = Path(self.config.output_dir) / self.config.name
        self._runner = CellRunner(recipe, overrides, self.folder)

    def cells(self) -> list[Cell]:
        """Every run, seed by seed, so that what is there early compares all methods."""
        sweep = self.config.sweep
        return [
            Cell(name, method, seed, {**settings, **sweep.per_method.get(method, {})})
            for name, settings in sweep.variations.items()
            if sweep.only is None or name in sweep.only
            for seed in sweep.seeds
            for method in sweep.methods
        ]

    def plan(self) -> Iterator[str]:
        """What `run` would do, line by line."""
        return self._runner.plan(self.cells())

    def run(self, restart: bool = False) -> str:
        """Run what is not finished, or all anew; return the tables as Markdown."""
        cells, rows, runs, text = self.cells(), [], [], ""
        for cell, experiment, summary, fresh in self._runner.run(cells, restart):
            rows += result_rows(cell, experiment, summary)
            runs.append((cell, experiment.state.method, experiment.folder.predictions))
            if fresh or len(runs) == len(cells):
                text = self._write(rows, runs)
        return text

    def _write(self, rows: list[dict[str, Any]], runs: list[tuple[Any, ...]]) -> str:
        files.write_parquet(self.folder / "results.parquet", pa.Table.from_pylist(rows))
        figures = sweep_figures(runs, rows, self.config.sweep.compare_with)
        text = render_markdown_tables(figures)
        files.write_text(self.folder / "tables.md", text)
        files.write_text(self.folder / "tables.tex", render_latex(figures))
        html = render_sweep_html(self.config.name, self.config.description, figures)
        files.write_text(self.folder / "report.html", html)
        return text


def outcome(experiment: Experiment, summary: dict[str, Any]) -> str:
    """The accuracies of a finished run in a few words."""
    splits = summary["metrics"][experiment.state.method.answers_by]
    return ", ".join(
        f"{name} {100 * part['average_accuracy']:.1f}" for name, part in splits.items()
    )


def result_rows(
    cell: Cell, experiment: Experiment, summary: dict[str, Any]
) -> list[dict[str, Any]]:
    """Tidy results of one run: a row per model, split and domain, and one for all domains."""
    rows = []
    diagnostics = summary["diagnostics"] or {}
    for model, splits in summary["metrics"].items():
        for split, figures in splits.items():
            common = {
                "variation": cell.variation,
                "method": cell.method,
                "seed": cell.seed,
                "model": model,
                "is_method": model == experiment.state.method.answers_by,
                "split": split,
            }
            average = {
                "accuracy": figures["average_accuracy"],
                "macro_f1": figures["average_macro_f1"],
            }
            calibration = diagnostics.get("calibration", {}).get(model, {}).get(split)
            if calibration:
                average["calibration_error"] = calibration["average"]
            probe = diagnostics.get("probe")
            if probe and probe["after"] and common["is_method"]:
                average["domain_probe"] = probe["after"]["embedding"]
            rows.append({**common, "domain": None, **average})
            for domain, own in figures["domains"].items():
                if own["texts"]:
                    kept = {key: own[key] for key in ("texts", "accuracy", "macro_f1")}
                    rows.append({**common, "domain": domain, **kept})
    return rows
