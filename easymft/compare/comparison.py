"""`--mode compare`: methods side by side on one corpus by cross-validation, within some minutes."""

import functools
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from easymft import files
from easymft.compare.advice import advice, rare_classes, simplest_unbeaten, worth_of_labels
from easymft.compare.budget import Budget
from easymft.config import METHODS
from easymft.config.loading import apply_overrides, load_config
from easymft.data.corpus.parts import UNLABELED
from easymft.progress import progress_bar
from easymft.report.comparison import Cost, render_comparison_html, render_comparison_markdown
from easymft.report.statistics import paired_difference
from easymft.report.sweep import MethodFigures
from easymft.runs.evidence import (
    RunEvidence,
    RunKey,
    evidence_figures,
    run_evidence,
    write_evidence,
)
from easymft.runs.plan import plan
from easymft.runs.run import Run
from easymft.runs.sweep_runner import SweepRun, SweepRunner

logger = logging.getLogger(__name__)

# Simplest first: of two that are as good, the advice is for the first.
ROWS = ("tfidf", "embed", "mix", "mix_then_fine_tune", "mft")
# Last, as what takes the longest; where there are texts without labels.
_WITH_UNLABELED = (*ROWS, "mix_self")
FOLDS = 5
WHOLE = "all-labels"
# The learning curve: part of the training texts by the name of its variation.
PARTS = {"25-percent": 0.25, "50-percent": 0.5}
# Where some classes are rare: `class_balance` by the name of its variation.
BALANCES = {"classes-weighted": "loss", "classes-drawn": "batch"}
_RARE = 1.5  # texts of the largest class to each of the smallest
# Every labelled text is held out once; nothing is looked at or kept beyond the answers.
_FIXED = {
    "diagnose": False,
    "keep_models": False,
    "evaluate_on": ["test"],
    "case_study": 0,
    "export": False,
    "meta_fine_tune.validation_freq": 0,
    "fine_tune.validation_freq": 0,
}
_STARTING = 20.0  # seconds a run with an encoder takes beside training and predicting, at first


class Comparison:
    """Runs the rows of a comparison, the cheap ones first, as far as the minutes go.

    Leaves, under `output_dir/<recipe>/compare/`: a run folder each, `predictions.parquet` and
    `results.parquet` (see `easymft.runs.evidence`), `compare.md`, `compare.html` and
    `recommended.json`, a recipe that is ready to run. Finished runs are only read.

    Args:
        recipe: Path of a recipe.
        overrides: `key=value` settings of the command line.
        minutes: What it may take, about.
    """

    def __init__(self, recipe: str | Path, overrides: Sequence[str] = (), minutes: float = 30.0):
        self.recipe, self.overrides, self.minutes = recipe, list(overrides), minutes
        self.config = load_config(recipe, overrides)
        self.folder = Path(self.config.output_dir) / self.config.name / "compare"
        self._runner = SweepRunner(recipe, overrides, self.folder)
        self._evidence: dict[RunKey, RunEvidence] = {}
        self._costs: dict[str, list[Cost]] = {}
        self._training_texts: dict[str, list[int]] = {}

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The rows' methods, simplest first; with self-training where there are texts for it."""
        splits, *_ = Run(self._runner.config(*self._fold(1, ["mix"]))).data.checked_splits()
        return _WITH_UNLABELED if len(splits.get(UNLABELED, ())) else ROWS

    def run(self) -> str:
        """Do the runs; return table and advice as Markdown."""
        budget = Budget(self.minutes)
        with progress_bar("compare", round(60 * self.minutes), unit="s") as bar:
            for group in self._groups(budget):
                for sweep_run, run, summary, _ in self._runner.run(group):
                    self._keep(sweep_run, run, summary)
                    bar.update(max(0, min(bar.total, 60 * self.minutes - budget.left) - bar.n))
        return self._write()

    def plan(self) -> Iterator[str]:
        """Yield what the rows take and which fit the minutes; reads the data and times a batch."""
        names = [name for name in self.names if METHODS[name].trains_encoder]
        seconds = self._planned_seconds(names)
        fitting = _fitting(seconds, Budget(self.minutes))
        cheap = ", ".join(name for name in self.names if name not in names)
        yield f"{cheap}: seconds, {FOLDS} folds"
        for name in names:
            fits = "" if name in fitting else f"; does not fit {self.minutes:g} minutes"
            yield f"{name}: about {seconds[name]:.0f} s for each of {FOLDS} folds{fits}"

    def _groups(self, budget: Budget) -> Iterator[list[SweepRun]]:
        """Yield runs that belong together, the most telling first, while there is time."""
        cheap = [name for name in self.names if not METHODS[name].trains_encoder]
        # A fold at a time, so that all rows have seen the same folds whenever time is up.
        for fold in range(1, FOLDS + 1):
            yield self._fold(fold, cheap)
        names = [name for name in self.names if name not in cheap]
        trained = _fitting(self._planned_seconds(names), budget)
        for fold in range(1, FOLDS + 1):
            if trained and (fold == 1 or budget.allows(self._seconds(trained))):
                yield self._fold(fold, trained)
        best = simplest_unbeaten(self._rows(WHOLE))
        yield from self._balanced(best, budget)
        for fold in range(1, FOLDS + 1):
            for part in reversed(PARTS):
                expected = PARTS[part] * self._seconds([best])
                if fold in self._done(WHOLE)[best] and budget.allows(expected):
                    yield self._fold(fold, [best], part)

    def _balanced(self, best: str, budget: Budget) -> Iterator[list[SweepRun]]:
        """Yield runs of the best row that make classes even, where some are rare."""
        if not self._has_rare_classes():
            return
        trains = METHODS[best].trains_encoder
        for fold in self._done(WHOLE)[best]:
            for name, balance in BALANCES.items():
                # Without batches both mean the same, and take seconds.
                if budget.allows(self._seconds([best])) if trains else balance == "loss":
                    yield self._fold(fold, [best], name)

    def _has_rare_classes(self) -> bool:
        if self.config.meta_fine_tune.class_balance != "none":
            return False
        counts = self._class_counts()
        return max(counts.values()) >= _RARE * min(counts.values())

    def _class_counts(self) -> Counter[str]:
        """Return the texts of each class, of those that the first row answered."""
        first, *_ = self._done(WHOLE).items()
        name, folds = first
        counts: Counter[str] = Counter()
        for fold in folds:
            counts.update(self._evidence[WHOLE, name, fold].predictions["label"].to_pylist())
        return counts

    def _fold(self, fold: int, names: Sequence[str], part: str = WHOLE) -> list[SweepRun]:
        split: dict[str, Any] = {"kind": "folds", "folds": FOLDS, "dev": 0.1}
        if part in PARTS:
            split["few_shot"] = {"fraction": PARTS[part], "per_class": None}
        settings = {**_FIXED, "data.split": split}
        if part in BALANCES:
            phases = ("meta_fine_tune", "fine_tune")
            settings |= {f"{phase}.class_balance": BALANCES[part] for phase in phases}
        return [SweepRun(part, name, fold, settings) for name in names]

    def _planned_seconds(self, names: Sequence[str]) -> dict[str, float]:
        """Return what a fold of each row takes, by the time of a batch."""
        seconds, speed = {}, None
        for run in self._fold(1, names):
            planned = plan(Run(self._runner.config(run)), speed)
            speed = planned.text_seconds
            seconds[run.method] = 60 * planned.minutes + _STARTING
            logger.info("%s: about %.0f s a fold.", run.method, seconds[run.method])
        return seconds

    def _seconds(self, names: Sequence[str]) -> float:
        """Return what one more fold of these rows takes, by those that were done."""
        return sum(
            float(np.mean([cost.seconds for cost in self._costs[name]]))
            for name in names
            if name in self._costs
        )

    def _keep(self, sweep_run: SweepRun, run: Run, summary: dict[str, Any]) -> None:
        self._evidence[sweep_run.key] = run_evidence(sweep_run.key, run, summary)
        self._training_texts.setdefault(sweep_run.variation, []).append(
            len(run.data.splits["train"])
        )
        if sweep_run.variation == WHOLE:
            self._costs.setdefault(sweep_run.method, []).append(Cost.of(summary["stages"]))

    def _done(self, part: str) -> dict[str, list[int]]:
        """Return the folds that are done, by method, simplest first."""
        done = {
            name: [
                fold
                for variation, method, fold in self._evidence
                if (variation, method) == (part, name)
            ]
            for name in self.names
        }
        return {name: folds for name, folds in done.items() if folds}

    def _rows(self, part: str, among: Sequence[int] | None = None) -> dict[str, MethodFigures]:
        """Return the figures of each method, over all its folds or those `among` some."""
        names = list(self._done(part))
        chosen = [
            self._evidence[part, name, fold]
            for name in names
            for fold in self._done(part)[name]
            if among is None or fold in among
        ]
        figures = evidence_figures(chosen, names).get(part, [])
        return dict(zip(names, figures, strict=True))

    def _write(self) -> str:
        rows = self._rows(WHOLE)
        name = simplest_unbeaten(rows)
        missing = [METHODS[other].title for other in self.names if other not in rows]
        sentences = advice(rows, missing)
        curve, gained = self._curve(name)
        if worth := worth_of_labels(curve, gained):
            sentences.append(worth)
        balances = self._balances(name)
        if balances:
            sentences += rare_classes(balances, self._class_counts())
        recommended = self._write_recipe(name)
        sentences.append(f"Run it: python -m easymft.run --config {recommended}")
        costs = {other: self._costs[other] for other in rows}
        text = render_comparison_markdown(rows, costs, sentences, balances)
        write_evidence(self.folder, self._evidence.values(), self.config)
        files.write_text(self.folder / "compare.md", text)
        title = self.config.name
        page = render_comparison_html(title, rows, costs, sentences, curve, balances)
        files.write_text(self.folder / "compare.html", page)
        return text

    def _balances(self, name: str) -> dict[str, MethodFigures]:
        """Return a row's figures by `class_balance`, over the folds that all of them did."""
        variations = [part for part in BALANCES if name in self._done(part)]
        if not variations:
            return {}
        folds = set.intersection(*(set(self._done(part)[name]) for part in variations))
        parts = {"none": WHOLE, **{BALANCES[part]: part for part in variations}}
        return {balance: self._rows(part, sorted(folds))[name] for balance, part in parts.items()}

    def _curve(
        self, name: str
    ) -> tuple[list[tuple[int, float]], tuple[float, float, float] | None]:
        """Return training texts and accuracies of a row's learning curve, and the last gain."""
        points = []
        for part in (*PARTS, WHOLE):
            if name in self._done(part):
                texts = int(np.mean(self._training_texts[part]))
                points.append((texts, self._rows(part)[name].average[0]))
        half = list(PARTS)[-1]
        folds = self._done(half).get(name)
        if not folds:
            return points, None
        whole, thinned = (
            pa.concat_tables(self._evidence[part, name, fold].predictions for fold in folds)
            for part in (WHOLE, half)
        )
        return points, paired_difference(_rights(whole), _rights(thinned))

    def _write_recipe(self, name: str) -> Path:
        """Write the recipe that was recommended, with all that the command line has set."""
        path = self.folder / "recommended.json"
        folder = Path(os.path.abspath(path.parent))
        recipe = {
            "include": os.path.relpath(os.path.abspath(self.recipe), folder),
            "name": self.config.name,
            **apply_overrides({}, self.overrides),
            "method": name,
        }
        files.write_json(path, json.loads(json.dumps(recipe)))
        return path


def _fitting(seconds: dict[str, float], budget: Budget) -> list[str]:
    """Return as many rows as two folds of them fit, else the first alone if one fold does."""
    names = list(seconds)
    for count in range(len(names), 0, -1):
        if budget.allows(2 * sum(seconds[name] for name in names[:count])):
            return names[:count]
    return names[:1] if budget.allows(seconds[names[0]]) else []


def _rights(predictions: pa.Table) -> Any:
    frame = predictions.to_pandas()
    frame["right"] = (frame["label"] == frame["predicted"]).astype(float)
    return frame
