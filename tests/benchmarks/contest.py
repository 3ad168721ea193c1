"""Contestants in processes of their own, who take turns, and what becomes of their times."""

import contextlib
import functools
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.worker import Times

logger = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]


class Worker:
    """One contestant's process, a context manager; ready once its first round is done.

    Args:
        module: Module whose `__main__` calls `tests.benchmarks.worker.serve`.
        settings: What it is told.
        python: Its interpreter.
    """

    def __init__(self, module: str, settings: dict[str, Any], python: str = sys.executable):
        self.module, self.settings, self.python = module, settings, python

    def __enter__(self) -> "Worker":
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            json.dump(self.settings, file)
        self._file = Path(file.name)
        self._process = subprocess.Popen(
            [self.python, "-m", self.module, file.name],
            cwd=ROOT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()
        self._file.unlink()

    def round(self) -> Times:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Times:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.module} ended; its last lines say why")
        return json.loads(line)


def can(contestant: str, packages: tuple[str, ...], python: str = sys.executable) -> bool:
    """Whether an interpreter has a contestant's packages; says so where it has not."""
    there = _imports(packages, python)
    if not there:
        logger.warning(
            '%s is left out: %s does not have all of %s (the extra "bench"); '
            "--torch_python names another interpreter",
            contestant,
            python,
            ", ".join(packages),
        )
    return there


@functools.cache  # several contestants need the same
def _imports(packages: tuple[str, ...], python: str) -> bool:
    command = [python, "-c", f"import {', '.join(packages)}"]
    return subprocess.run(command, capture_output=True).returncode == 0


def alternate(workers: Iterable[Worker], repeats: int) -> list[Times]:
    """The times of `repeats` rounds of all contestants, who take turns."""
    with contextlib.ExitStack() as stack:
        # One after the other, so that no one is warmed up while others compute.
        ready = [stack.enter_context(worker) for worker in workers]
        rounds = []
        for number in range(repeats):
            # Each time in another order: what one leaves in the caches is not always the same's.
            order = ready[number % len(ready) :] + ready[: number % len(ready)]
            rounds.append({name: t for worker in order for name, t in worker.round().items()})
        return rounds


def summary(rounds: Sequence[Times], reference: str, texts: int | None = None) -> list[dict]:
    """A row per contestant: its seconds, and how many times those of `reference`.

    Args:
        rounds: Of `alternate`.
        reference: The contestant to compare with.
        texts: Texts in a round, for texts per second.

    Returns:
        Medians over the rounds; a ratio is the median of the rounds' own ratios, in its range.
    """
    rows = []
    for name in sorted(rounds[0], key=lambda name: name != reference):
        row: dict[str, Any] = {"contestant": name}
        for clock in ("wall", "cpu"):
            seconds = [times[name][clock] for times in rounds]
            ratios = [times[name][clock] / times[reference][clock] for times in rounds]
            row |= {
                f"{clock}_s": statistics.median(seconds),
                f"{clock}_ratio": statistics.median(ratios),
                f"{clock}_ratio_range": [min(ratios), max(ratios)],
            }
        if texts is not None:
            row["texts_per_s"] = texts / row["wall_s"]
        rows.append(row)
    return rows


def markdown(title: str, rows: Sequence[dict], reference: str) -> str:
    """A table of `summary`'s rows."""
    with_texts = "texts_per_s" in rows[0]
    columns = [
        "contestant",
        *(["texts/s"] if with_texts else []),
        "seconds",
        f"times {reference}",
        "range",
        "by processor time",
    ]
    lines = [f"### {title}", "", _line(columns), _line(["---", *["---:"] * (len(columns) - 1)])]
    for row in rows:
        low, high = row["wall_ratio_range"]
        cells = [
            row["contestant"],
            *([f"{row['texts_per_s']:.1f}"] if with_texts else []),
            f"{row['wall_s']:.3g}",
            f"{row['wall_ratio']:.3g}",
            f"{low:.3g} to {high:.3g}",
            f"{row['cpu_ratio']:.3g}",
        ]
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
