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

from easymft import files
from easymft.config import Config
from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.report.sweep_tables import (
    render_latex,
    render_markdown_tables,
    render_sweep_html,
)
from easymft.runs.evidence import (
    RunEvidence,
    RunKey,
    evidence_figures,
    read_evidence,
    run_evidence,
    write_evidence,
)
from easymft.runs.execution import execute
from easymft.runs.folder import RunFolder, first_difference, with_later_settings
from easymft.runs.plan import plan
from easymft.runs.run import Run
from easymft.runs.shared_learners import SharedLearners

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepRun:
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

    @property
    def key(self) -> RunKey:
        """Return what names it in the tables."""
        return self.variation, self.method, self.seed

    def __str__(self) -> str:
        return f"{self.variation}, {self.method}, seed {self.seed}"


class SweepRunner:
    """Does the runs of a sweep one after another; those that are finished are only read.

    Args:
        recipe: Path of the recipe.
        overrides: `key=value` settings of the command line.
        folder: Where the run folders are made.
    """

    def __init__(self, recipe: str | Path, overrides: Sequence[str], folder: Path):
        self.recipe, self.overrides, self.folder = recipe, list(overrides), folder

    def config(self, sweep_run: SweepRun) -> Config:
        """Return the recipe of one run.

        It is read anew: filling in defaults comes after all settings are known, since one setting
        (`mft.variant`) decides what others are.
        """
        own = {
            "name": sweep_run.variation,
            "method": sweep_run.method,
            "seed": sweep_run.seed,
            "output_dir": str(self.folder),
            "sweep": None,
            "search": None,
            **sweep_run.settings,
        }
        settings = [f"{key}={json.dumps(value)}" for key, value in own.items()]
        return load_config(self.recipe, [*self.overrides, *settings])

    def plan(self, planned: Sequence[SweepRun]) -> Iterator[str]:
        """Yield what doing them would take: a line per variation and method, and one for all."""
        groups: dict[tuple[str, str], list[Run]] = {}
        for sweep_run in planned:
            group = groups.setdefault((sweep_run.variation, sweep_run.method), [])
            group.append(Run(self.config(sweep_run)))
        total, speeds = 0.0, {}
        for (variation, method), group in groups.items():
            run = group[0]
            encoder = run.config.model_dump_json(include={"backbone", "precision"})
            planned = plan(run, speeds.get(encoder))
            planned.report.raise_for_problems()
            speeds[encoder] = planned.text_seconds
            waiting = sum(not run.folder.is_done("report") for run in group)
            total += waiting * planned.minutes
            yield (
                f"{variation}, {method}: {waiting} of {len(group)} runs to do; each sees "
                f"{planned.texts_seen:,} training texts, about {max(planned.minutes, 1):.0f} min"
            )
        yield f"estimated time of all: about {max(total, 1):.0f} min"

    def run(
        self, planned: Sequence[SweepRun], restart: bool = False
    ) -> Iterator[tuple[SweepRun, Run, dict[str, Any], bool]]:
        """Yield each with its run, the run's summary, and whether it ran just now.

        Args:
            planned: What to run, in this order.
            restart: Move finished and unfinished runs aside, and begin anew.
        """
        # All recipes are checked before the first hour is spent.
        configs = [self.config(sweep_run) for sweep_run in planned]
        shared, spent, ran = SharedLearners(configs), 0.0, 0
        for number, (sweep_run, config) in enumerate(zip(planned, configs, strict=True), start=1):
            run = Run(config)
            fresh = restart or not run.folder.is_done("report")
            start = time.monotonic()
            if not restart:
                shared.begin(run)
            summary = execute(run, restart=restart)
            shared.end(run)
            if fresh:
                spent, ran = spent + time.monotonic() - start, ran + 1
                waiting = [
                    later
                    for later in configs[number:]
                    if restart or not Run(later).folder.is_done("report")
                ]
                left = len(waiting) * spent / ran
                logger.info(
                    "%d of %d: %s: %s; %.0f s, about %.0f min left",
                    *(number, len(planned), sweep_run, outcome(run, summary)),
                    *(time.monotonic() - start, left / 60),
                )
            yield sweep_run, run, summary, fresh
            # A finished run's graphs are of no use to the next.
            del run
            keras.utils.clear_session()
            gc.collect()


class Sweep:
    """The runs of a recipe's `sweep`, and their tables.

    Leaves, under `output_dir/<recipe>/`: a run folder each (`<variation>/<method>/seed-<n>`),
    `predictions.parquet` and `results.parquet` (see `easymft.runs.evidence`), `tables.md`,
    `tables.tex` and `report.html`. These are written anew after every run, so an unfinished sweep
    already has some.

    Args:
        recipe: Path of a recipe with a `sweep` section.
        overrides: `key=value` settings of the command line.
    """

    def __init__(self, recipe: str | Path, overrides: Sequence[str] = ()):
        self.config = load_config(recipe, overrides)
        self.folder = Path(self.config.output_dir) / self.config.name
        self._runner = SweepRunner(recipe, overrides, self.folder)

    def planned_runs(self) -> list[SweepRun]:
        """Return every run, seed by seed, so that what is there early compares all methods."""
        sweep = self.config.sweep
        return [
            SweepRun(name, method, seed, {**settings, **sweep.per_method.get(method, {})})
            for name, settings in sweep.variations.items()
            if sweep.only is None or name in sweep.only
            for seed in sweep.seeds
            for method in sweep.methods_of.get(name, sweep.methods)
        ]

    def plan(self) -> Iterator[str]:
        """Yield what `run` would do, line by line."""
        planned = self.planned_runs()
        kept = self._kept(planned)
        if kept:
            yield f"{len(kept)} of {len(planned)} runs stand in {self.config.sweep.results}"
        if waiting := [sweep_run for sweep_run in planned if sweep_run.key not in kept]:
            yield from self._runner.plan(waiting)

    def run(self, restart: bool = False) -> str:
        """Run what is not finished, or all anew; return the tables as Markdown."""
        planned, text = self.planned_runs(), ""
        found = {} if restart else self._kept(planned)
        waiting = [sweep_run for sweep_run in planned if sweep_run.key not in found]
        for sweep_run, run, summary, fresh in self._runner.run(waiting, restart):
            found[sweep_run.key] = run_evidence(sweep_run.key, run, summary)
            text = self._write(planned, found) if fresh else ""
        return text or self._write(planned, found)

    def _kept(self, planned: Sequence[SweepRun]) -> dict[RunKey, RunEvidence]:
        """Return the runs that stand in `sweep.results` and are not finished in the own folder.

        Raises:
            InputError: They were made with other settings, or of other data than those at hand.
        """
        folder, kept = self.config.sweep.results, {}
        if folder is None:
            return kept
        found, waiting = read_evidence(folder), {}
        for sweep_run in planned:
            config = self._runner.config(sweep_run)
            if sweep_run.key not in found:
                waiting.setdefault(sweep_run.variation, config)
            elif not RunFolder(config).is_done("report"):
                saved = with_later_settings(json.loads(found[sweep_run.key].results[0]["recipe"]))
                if difference := first_difference(saved, config.to_dict()):
                    raise _other_runs(folder, f"{sweep_run}: {difference}")
                kept[sweep_run.key] = found[sweep_run.key]
        for (variation, *_), run in kept.items():
            if variation in waiting:
                fingerprint = Run(waiting.pop(variation)).data.fingerprint
                if fingerprint != run.results[0]["fingerprint"]:
                    raise _other_runs(folder, f"{variation}: their data are not those found here")
        return kept

    def _write(self, planned: Sequence[SweepRun], found: Mapping[RunKey, RunEvidence]) -> str:
        runs = [found[sweep_run.key] for sweep_run in planned if sweep_run.key in found]
        write_evidence(self.folder, runs, self.config)
        figures = evidence_figures(
            runs, self.config.sweep.compare_with, self.config.sweep.compare_in
        )
        text = render_markdown_tables(figures)
        files.write_text(self.folder / "tables.md", text)
        files.write_text(self.folder / "tables.tex", render_latex(figures))
        html = render_sweep_html(self.config.name, self.config.description, figures)
        files.write_text(self.folder / "report.html", html)
        return text


def _other_runs(folder: str, difference: str) -> InputError:
    return InputError(
        f"holds other runs than this sweep asks for ({difference}); `--set sweep.results=null` or "
        "`--restart` makes them anew",
        file=folder,
        field="sweep.results",
    )


def outcome(run: Run, summary: dict[str, Any]) -> str:
    """Return the accuracies of a finished run in a few words."""
    splits = summary["metrics"][run.method.answers_by]
    return ", ".join(
        f"{name} {100 * part['average_accuracy']:.1f}" for name, part in splits.items()
    )
