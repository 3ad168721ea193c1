"""Choosing settings on the development texts: the same number of trials for every method."""

import json
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from easymft import files
from easymft.config.loading import load_config
from easymft.report.markdown import escape, table
from easymft.runs.evidence import RunKey
from easymft.runs.lock import in_turn
from easymft.runs.run import Run
from easymft.runs.sweep_runner import SweepRun, SweepRunner
from easymft.runs.trials import TpeTrials, draw

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

    def plan(self) -> Iterator[str]:
        """Yield what `run` would do, line by line; with sampler tpe, of settings like those."""
        return self._runner.plan(self._drawn())

    def run(self, restart: bool = False) -> str:
        """Run the unfinished trials, or all anew; return the best of each method as Markdown.

        Several processes may do so at once, each the trials that no other works on; what the last
        one writes is of all.
        """
        rows: dict[RunKey, dict[str, Any]] = {}
        trials: list[SweepRun] = []
        for group in self._groups(rows):
            trials += group
            for sweep_run, run, summary, _ in self._runner.run(group, restart):
                rows[sweep_run.key] = _row(sweep_run, run, summary)
                self._write(trials, rows, restart)
        return self._write(trials, rows, restart)

    def move_aside(self) -> None:
        """Move all trials aside, before several processes begin anew."""
        self._runner.move_aside(self._drawn())

    def _drawn(self) -> list[SweepRun]:
        """Return one run per method, trial and seed; trial 0 is the recipe as it stands."""
        search = self.config.search
        return [
            sweep_run
            for method in search.methods
            for number, settings in enumerate(draw(*self._space(method)))
            for sweep_run in self._trial(method, number, settings)
        ]

    def _groups(self, rows: Mapping[RunKey, Mapping[str, Any]]) -> Iterator[list[SweepRun]]:
        """Yield runs that may be done in any order.

        Args:
            rows: What the trials of the groups before got.
        """
        search = self.config.search
        if search.sampler == "random":
            yield self._drawn()
            return
        asked = {method: TpeTrials(*self._space(method)) for method in search.methods}
        for number in range(max(map(len, asked.values()))):
            group = {
                method: self._trial(method, number, trials.ask())
                for method, trials in asked.items()
                if number < len(trials)
            }
            yield [sweep_run for own in group.values() for sweep_run in own]
            for method, own in group.items():
                found = [rows[run.key]["dev_accuracy"] for run in own if run.key in rows]
                if len(found) == len(own):
                    asked[method].tell(float(np.mean(found)))
                else:
                    # Another process works on it, and will know what comes next.
                    del asked[method]

    def _space(self, method: str) -> tuple[Any, ...]:
        search = self.config.search
        return search.space, method, search.trials, search.draw, self.config.to_dict()

    def _trial(self, method: str, number: int, settings: Mapping[str, Any]) -> list[SweepRun]:
        """Return a trial's runs, one a seed."""
        name, settings = f"trial-{number}", {**settings, **_FIXED}
        return [SweepRun(name, method, seed, settings) for seed in self.config.search.seeds]

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
            if len(known) == len(self._drawn()):
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
