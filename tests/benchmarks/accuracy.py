"""Accuracy beside other tools: the same texts, encoder, length, epochs and precision, each tool's
defaults.

    python -m tests.benchmarks.accuracy --folder results --peer_python /path/to/python

runs a sweep of easymft (`app_zoo/beside_other_tools.json`), then trains other tools on the very
training texts of its runs and lets them answer the same test texts. Leaves what a sweep leaves,
with a row per tool, so that `--mode tables --input results` prints the tables again; prints them,
and the seconds. What is finished is only read. `peers.py` says what each tool is told.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from absl import app, flags, logging

from easymft.devices.machine import precision_policy
from easymft.models.presets import resolve_preset
from easymft.report.markdown import plain_table
from easymft.report.sweep import PREDICTIONS
from easymft.runs.evidence import (
    RESULTS,
    RunEvidence,
    RunKey,
    evidence_figures,
    read_evidence,
    recompute_tables,
    write_evidence,
)
from easymft.runs.execution import execute
from easymft.runs.run import Run
from easymft.runs.sweep import Sweep
from easymft.runs.sweep_runner import SweepRun, SweepRunner
from tests.benchmarks.peers import PEERS

_RECIPE = flags.DEFINE_string("recipe", "app_zoo/beside_other_tools.json", "A sweep's recipe.")
_SETTINGS = flags.DEFINE_multi_string("setting", [], "A setting of the recipe, key=value.")
_FOLDER = flags.DEFINE_string("folder", "beside_other_tools", "Folder for the tables.")
_PEERS = flags.DEFINE_list("peers", list(PEERS), f"Of {', '.join(PEERS)}.")
_PYTHON = flags.DEFINE_string("peer_python", sys.executable, "Interpreter that has the tools.")
_STEPS = flags.DEFINE_integer("setfit_steps", 400, "Most steps of SetFit, 16 pairs each.", 1)


def main(argv: list[str]) -> None:
    folder, sweep = Path(_FOLDER.value), Sweep(_RECIPE.value, _SETTINGS.value)
    sweep.run()
    found = read_evidence(sweep.folder)
    if (folder / "predictions.parquet").exists():
        found = {**read_evidence(folder), **found}
    for sweep_run, run in _runs(sweep):
        for peer in _PEERS.value:
            key = (sweep_run.variation, PEERS[peer].title, sweep_run.seed)
            if key not in found:
                found[key] = _ask(peer, key, run)
                accuracy = found[key].results[0]["accuracy"]
                logging.info("%s, %s, seed %d: %.1f %%", *key, 100 * accuracy)
            write_evidence(folder, found.values(), sweep.config)
    print(recompute_tables(folder))
    print(_seconds(found))


def _runs(sweep: Sweep) -> Iterator[tuple[SweepRun, Run]]:
    """One run for each variation and seed: its splits are those of all methods."""
    runner, seen = SweepRunner(_RECIPE.value, _SETTINGS.value, sweep.folder), set()
    for sweep_run in sweep.planned_runs():
        place = sweep_run.variation, sweep_run.seed
        if place not in seen:
            seen.add(place)
            run = Run(runner.config(sweep_run))
            # Kept evidence (`sweep.results`) has no run folder that says how texts were split.
            if not run.folder.is_done("validate"):
                execute(run, only="validate")
            yield sweep_run, run


def _ask(peer: str, key: RunKey, run: Run) -> RunEvidence:
    """Train a tool in a process of its own; return its answers as a run's."""
    corpus, config = run.data.corpus, run.config
    train, test = (corpus.take(run.data.splits[name]) for name in ("train", "test"))
    settings = {
        "peer": peer,
        "encoder": resolve_preset(config.backbone.preset),
        "length": config.backbone.max_length,
        "batch": config.meta_fine_tune.batch_size,
        "epochs": config.meta_fine_tune.epochs + config.fine_tune.epochs,
        "seed": config.seed,
        "bfloat16": precision_policy(config.precision) == "mixed_bfloat16",
        "setfit_steps": _STEPS.value,
        "num_classes": len(corpus.labels),
        "texts": train.table["text"].to_pylist(),
        "labels": train.codes("label").tolist(),
        "questions": test.table["text"].to_pylist(),
    }
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        told, answer = Path(temporary, "told.json"), Path(temporary, "answer.json")
        told.write_text(json.dumps(settings), encoding="utf-8")
        command = [_PYTHON.value if PEERS[peer].is_apart else sys.executable]
        subprocess.run([*command, "-m", "tests.benchmarks.peers", told, answer], check=True)
        answers = json.loads(answer.read_text(encoding="utf-8"))
    probabilities = np.asarray(answers.pop("probabilities"))
    columns = {name: pa.repeat(value, len(test)) for name, value in _named(key).items()}
    columns |= {"split": pa.repeat("test", len(test))}
    labels, domains = pa.array(corpus.labels), pa.array(corpus.domains)
    columns["id"] = test.table["id"]
    columns["domain"] = domains.take(test.table["domain"])
    columns["label"] = labels.take(test.table["label"])
    columns["predicted"] = labels.take(pa.array(probabilities.argmax(axis=1)))
    columns["probability"] = probabilities.max(axis=1).round(4)
    table = pa.table([columns[name] for name in PREDICTIONS.names], PREDICTIONS.names)
    return _evidence(key, table.cast(PREDICTIONS), run, settings, answers, start)


def _evidence(
    key: RunKey,
    predictions: pa.Table,
    run: Run,
    settings: dict[str, Any],
    versions: dict[str, str],
    start: float,
) -> RunEvidence:
    kept = {k: v for k, v in settings.items() if k not in ("texts", "labels", "questions")}
    row = {
        **dict.fromkeys(RESULTS.names),
        **_named(key),
        "model": settings["peer"],
        "is_method": True,
        "split": "test",
        "seconds": time.monotonic() - start,
        "fingerprint": run.data.fingerprint,
        "versions": json.dumps(versions),
        "recipe": json.dumps({**kept, "encoder": run.config.backbone.preset}),
    }
    evidence = RunEvidence([row], predictions)
    (figures,) = evidence_figures([evidence], ())[key[0]]
    row["accuracy"] = figures.average[0]
    return evidence


def _named(key: RunKey) -> dict[str, Any]:
    return dict(zip(("variation", "method", "seed"), key, strict=True))


def _seconds(found: dict[RunKey, RunEvidence]) -> str:
    """A table of the mean seconds of a run, which trains, answers and, for easymft, looks at it."""
    times: dict[str, dict[str, list[float]]] = {}
    for (variation, method, _), evidence in found.items():
        own = times.setdefault(method, {}).setdefault(variation, [])
        own.append(evidence.results[0]["seconds"])
    variations = list(dict.fromkeys(variation for own in times.values() for variation in own))
    rows = [["seconds of a run", *variations]]
    for method, own in times.items():
        rows.append([method, *(f"{np.mean(own[v]):.0f}" if v in own else "" for v in variations)])
    return plain_table(rows)


if __name__ == "__main__":
    app.run(main)
