"""Choosing settings on the development texts: the same number of trials for every method."""

import functools
import itertools
import json
import logging
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from easymft import files
from easymft.config import METHODS
from easymft.config.loading import load_config
from easymft.report.markdown import escape, table
from easymft.runs.evidence import RunKey
from easymft.runs.lock import in_turn
from easymft.runs.run import Run
from easymft.runs.sweep import SweepRun, SweepRunner

logger = logging.getLogger(__name__)

# A trial looks at the development texts only and keeps nothing large.
_FIXED = {"evaluate_on": ["dev"], "diagnose": False, "keep_models": False}


class Search:
    """The trials of a recipe's `search`; test texts are never predicted.

    Leaves, under `output_dir/<recipe>/search/`: `trials.parquet` (every trial with its settings
    and development accuracy), `best.json` (settings per method, for a sweep's `per_method`) and
    `trials.md`. Finished trials are skipped, so an interrupted search goes on.

    Args:
        recipe: Path of a recipe with a `search` section.
        overrides: `key=value` settings of the command line.
    """

    def __init__(self, recipe: str | Path, overrides: Sequence[str] = ()):
        self.config = load_config(recipe, overrides)
        self.folder = Path(self.config.output_dir) / self.config.name / "search"
        self._runner = SweepRunner(recipe, overrides, self.folder)

    def trials(self) -> list[SweepRun]:
        """Return one run per method, trial and seed; trial 0 is the recipe as it stands."""
        search, given = self.config.search, self.config.to_dict()
        return [
            SweepRun(f"trial-{number}", method, seed, {**settings, **_FIXED})
            for method in search.methods
            for number, settings in enumerate(
                draw(search.space, method, search.trials, search.draw, given)
            )
            for seed in search.seeds
        ]

    def plan(self) -> Iterator[str]:
        """Yield what `run` would do, line by line."""
        return self._runner.plan(self.trials())

    def run(self, restart: bool = False) -> str:
        """Run the unfinished trials, or all anew; return the best of each method as Markdown.

        Several processes may do so at once, each the trials that no other works on; what the last
        one writes is of all.
        """
        trials, rows = self.trials(), {}
        for sweep_run, run, summary, _ in self._runner.run(trials, restart):
            rows[sweep_run.key] = _row(sweep_run, run, summary)
            self._write(trials, rows, restart)
        return self._write(trials, rows, restart)

    def move_aside(self) -> None:
        """Move all trials aside, before several processes begin anew."""
        self._runner.move_aside(self.trials())

    def _write(
        self, trials: Sequence[SweepRun], rows: dict[RunKey, dict[str, Any]], restart: bool
    ) -> str:
        """Write what is known of the trials, and the best ones once all are done."""
        with in_turn(self.folder / "trials"):
            for sweep_run in () if restart else trials:
                others = None if sweep_run.key in rows else self._runner.finished(sweep_run)
                if others is not None:
                    rows[sweep_run.key] = _row(sweep_run, *others)
            known = [rows[sweep_run.key] for sweep_run in trials if sweep_run.key in rows]
            text = _trials_table(known)
            files.write_parquet(self.folder / "trials.parquet", pa.Table.from_pylist(known))
            if len(known) == len(trials):
                files.write_json(self.folder / "best.json", best_settings(known))
                files.write_text(self.folder / "trials.md", text)
            return text


def _row(sweep_run: SweepRun, run: Run, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `trials.parquet` says of a trial."""
    dev = summary["metrics"][run.method.answers_by]["dev"]
    settings = {k: v for k, v in sweep_run.settings.items() if k not in _FIXED}
    return {
        "method": sweep_run.method,
        "trial": sweep_run.variation,
        "seed": sweep_run.seed,
        "settings": json.dumps(settings),
        "dev_accuracy": dev["average_accuracy"],
        "dev_error": _standard_error(dev["domains"].values()),
    }


def draw(
    space: Mapping[str, Sequence[Any]],
    method: str,
    trials: int,
    seed: int,
    given: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Distinct settings of a method: first the recipe's own, then others of the grid, shuffled.

    Args:
        space: Values per setting; a value that is an object holds several settings.
        method: Only settings that matter to it count.
        trials: How many to draw, or fewer where the grid has fewer.
        seed: Seed of the order, the same for all methods.
        given: The recipe's sections, whose own point of the grid is not tried twice.
    """
    axes = []
    for key, values in space.items():
        points = [value if isinstance(value, dict) else {key: value} for value in values]
        points = [{k: v for k, v in point.items() if METHODS[method].reads(k)} for point in points]
        axes.append([point for i, point in enumerate(points) if point not in points[:i]])
    grid = [{k: v for part in point for k, v in part.items()} for point in itertools.product(*axes)]
    random.Random(seed).shuffle(grid)
    return [{}, *(point for point in grid if _changes(point, given))][:trials]


def _changes(point: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    def own(key: str) -> Any:
        # A section that the recipe leaves out is null.
        return functools.reduce(lambda part, name: (part or {}).get(name), key.split("."), given)

    return any(own(key) != value for key, value in point.items())


def best_settings(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Per method, the settings with the highest mean development accuracy, if that says anything.

    The recipe's own settings, `{}`, stay unless others beat them by more than a standard error:
    the highest of several accuracies on a few hundred texts is the luckiest, too. This is the
    one-standard-error rule of Breiman et al., Classification and Regression Trees, 1984, with the
    recipe in the place of the simplest model.
    """
    best = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        trials: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            if row["method"] == method:
                trials.setdefault(row["settings"], []).append(row)
        means = {
            settings: float(np.mean([row["dev_accuracy"] for row in own]))
            for settings, own in trials.items()
        }
        highest = max(means, key=means.get)
        # Seeds share the development texts, so more seeds do not make this error smaller.
        error = float(np.mean([row["dev_error"] for row in trials[highest]]))
        own = means.get("{}", -math.inf)
        best[method] = json.loads(highest if means[highest] > own + error else "{}")
    return best


def _standard_error(domains: Iterable[Mapping[str, Any]]) -> float:
    """Return the standard error of the average over domains of the share of texts got right."""
    shares = [(domain["accuracy"], domain["texts"]) for domain in domains if domain["texts"]]
    return math.sqrt(sum(p * (1 - p) / n for p, n in shares)) / len(shares)


def _trials_table(rows: Sequence[Mapping[str, Any]]) -> str:
    body = [["method", "trial", "seed", "settings", "dev accuracy"]]
    for row in sorted(rows, key=lambda row: (row["method"], -row["dev_accuracy"])):
        accuracy = f"{100 * row['dev_accuracy']:.1f} ± {100 * row['dev_error']:.1f}"
        settings = escape(row["settings"], limit=None)
        body.append([escape(row["method"]), row["trial"], str(row["seed"]), settings, accuracy])
    return table(body, aligned="--:-:") + "\n"
