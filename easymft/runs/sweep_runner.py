"""The runs of a sweep, search or comparison, one after another; finished ones are only read."""

import contextlib
import gc
import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from easymft.config import Config
from easymft.config.loading import load_config
from easymft.runs.evidence import RunKey
from easymft.runs.execution import execute
from easymft.runs.folder import RunFolder
from easymft.runs.lock import BusyError, locked
from easymft.runs.plan import plan
from easymft.runs.run import Run
from easymft.runs.shared_work import SharedWork
from easymft.runs.summary import summary as summary_of

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

        A run that another process works on is passed over, and looked at again after all others;
        the runs that others still work on then are left to them, and not yielded.

        Args:
            planned: What to run, in this order.
            restart: Move finished and unfinished runs aside, and begin anew.
        """
        # All recipes are checked before the first hour is spent.
        configs = [self.config(sweep_run) for sweep_run in planned]
        shared = SharedWork(configs)
        clock = _Clock(len(planned), restart)
        waiting = list(zip(planned, configs, strict=True))
        while waiting:
            busy = []
            for number, (sweep_run, config) in enumerate(waiting, start=1):
                run = Run(config)
                fresh = restart or not run.folder.is_done("report")
                start = time.monotonic()
                try:
                    summary = _do(run, shared, restart)
                except BusyError:
                    if run.distribution.workers > 1:  # the other workers wait in this run
                        raise
                    if not run.folder.is_done("report"):
                        busy.append((sweep_run, config))
                        continue
                    summary, fresh = summary_of(run), False
                if fresh:
                    clock.tell(sweep_run, outcome(run, summary), start, waiting[number:] + busy)
                yield sweep_run, run, summary, fresh
                # A finished run's graphs are of no use to the next.
                del run
                keras.utils.clear_session()
                gc.collect()
            if len(busy) == len(waiting):
                logger.info("%d runs are left to other processes, which work on them.", len(busy))
                return
            waiting, restart = busy, False

    def finished(self, sweep_run: SweepRun) -> tuple[Run, dict[str, Any]] | None:
        """Return a run that is finished, whoever did it, with its summary; else None.

        Raises:
            InputError: Its folder holds a run with other settings.
        """
        run = Run(self.config(sweep_run))
        if not run.folder.is_done("report"):
            return None
        run.folder.check_settings()
        return run, summary_of(run)

    def move_aside(self, planned: Sequence[SweepRun]) -> None:
        """Move what earlier runs left aside, before several processes begin anew.

        Raises:
            InputError: Another process works on one of them.
        """
        for sweep_run in planned:
            folder = RunFolder(self.config(sweep_run))
            with locked(folder.path):
                folder.move_aside()


def _do(run: Run, shared: SharedWork, restart: bool) -> dict[str, Any]:
    """Execute a run, with what another has that trained the same.

    Raises:
        BusyError: Another process works on it.
    """
    if not restart:
        # Workers of one run are in step, and share its lock later.
        alone = run.distribution.workers == 1
        with locked(run.folder.path) if alone else contextlib.nullcontext():
            shared.begin(run)
    summary = execute(run, restart=restart)
    shared.end(run)
    return summary


class _Clock:
    """Tells how far a process is with its runs."""

    def __init__(self, total: int, restart: bool):
        self._total, self._restart = total, restart
        self._spent, self._ran = 0.0, 0

    def tell(
        self, sweep_run: SweepRun, result: str, start: float, later: Sequence[tuple[Any, Config]]
    ) -> None:
        """Log a run that is done now: its result, its time, and how long the others may take."""
        seconds = time.monotonic() - start
        self._spent, self._ran = self._spent + seconds, self._ran + 1
        left = sum(self._restart or not RunFolder(config).is_done("report") for _, config in later)
        logger.info(
            "%d of %d: %s: %s; %.0f s, about %.0f min left",
            *(self._total - left, self._total, sweep_run, result),
            *(seconds, left * self._spent / self._ran / 60),
        )


def outcome(run: Run, summary: dict[str, Any]) -> str:
    """Return the accuracies of a finished run in a few words."""
    splits = summary["metrics"][run.method.answers_by]
    return ", ".join(
        f"{name} {100 * part['average_accuracy']:.1f}" for name, part in splits.items()
    )
