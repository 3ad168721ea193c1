"""What answers are worth: calibration, coverage and promises, over many splits of held-out texts.

    python -m tests.benchmarks.answers --runs 'runs/beside_other_tools/*/*/seed-*'

takes the answers that finished runs gave to texts held out of training, deals the texts of each
domain anew into as many development texts as the run had and test texts, finds temperatures and
thresholds on the ones and tries them on the others; `--splits` times. Prints one row for each
variation and method: calibration error before and after, what chance alone makes of it, and for
each of `--targets` the share of texts answered, of answers that were right, and of pairs of domain
and split in which at least the target was reached (a domain that abstains keeps its promise).
Counts on test texts themselves vary by chance: of pairs that just reach the target every second
one looks broken.
"""

import glob
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from absl import app, flags

from easymft import files
from easymft.config import METHODS, Answers
from easymft.methods import answers
from easymft.models.answer_rules import AnswerRules
from easymft.report.markdown import plain_table
from easymft.report.words import percent

_ERRORS = ("error_before", "error_after", "error_by_chance")
_RUNS = flags.DEFINE_string("runs", "runs/*/*/*/seed-*", "Run folders, a glob.")
_SPLITS = flags.DEFINE_integer("splits", 20, "Splits of each run.", 1)
_TARGETS = flags.DEFINE_list("targets", ["0.9", "0.95"], "Promised shares of right answers.")
_CONFIDENCE = flags.DEFINE_float("confidence", 0.9, "How sure promises are to be kept.", 0, 1)


def main(argv: list[str]) -> None:
    targets = [float(target) for target in _TARGETS.value]
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for folder in sorted(map(Path, glob.glob(_RUNS.value))):
        config = files.read_json(folder / "config.json")
        if METHODS[config["method"]].has_encoder:
            key = (folder.parents[1].name, METHODS[config["method"]].title)
            rows = of_run(folder, _SPLITS.value, targets, _CONFIDENCE.value)
            found.setdefault(key, []).extend(rows)
    print(table(found, targets))


def of_run(
    folder: Path, splits: int, targets: list[float], confidence: float
) -> Iterator[dict[str, Any]]:
    """Yield what each split of a run's held-out texts shows."""
    labels, predictions = raw_predictions(folder)
    domains = pc.unique(predictions["domain"]).to_pylist()
    for split in range(splits):
        dealt = _dealt(predictions, split)
        shown: dict[str, Any] = {}
        for target in targets:
            settings = Answers(target_accuracy=target, confidence=confidence)
            facts = answers.fit(dealt, labels, domains, settings)
            after = answers.calibrated(dealt, facts, domains)
            (tried,) = answers.tried(dealt, after, facts, domains).values()
            shown |= {name: tried[name] for name in _ERRORS}
            shown[target] = list(tried["domains"].values())
        yield shown


def raw_predictions(folder: Path) -> tuple[list[str], pa.Table]:
    """Return class names, and the answers of a run's last model as that gave them."""
    config = files.read_json(folder / "config.json")
    predictions = files.read_parquet(folder / "predictions.parquet")
    model = METHODS[config["method"]].answers_by
    predictions = predictions.filter(pc.field("model") == model)
    if (folder / "answers.json").exists():
        predictions = _uncalibrated(predictions, files.read_json(folder / "answers.json"), model)
    return files.read_json(folder / "stages" / "validate.json")["labels"], predictions


def _uncalibrated(predictions: pa.Table, facts: Mapping[str, Any], model: str) -> pa.Table:
    domains = pc.unique(predictions["domain"]).to_pylist()
    rules = answers.rules(facts, model, domains).of_domains(domains)
    inverse = AnswerRules(tuple(domains), 1 / rules.temperatures, rules.thresholds)
    rows = [{"temperature": float(t), "threshold": 0.0} for t in inverse.temperatures]
    named = {"domains": dict(zip(domains, rows, strict=False)), "unknown": rows[-1]}
    return answers.calibrated(predictions, {"models": {model: named}}, domains)


def _dealt(predictions: pa.Table, seed: int) -> pa.Table:
    """Deal the texts of each domain anew into development and test texts, as many as there were."""
    frame = predictions.select(["domain", "split"]).to_pandas()
    random = np.random.default_rng(seed)
    dealt = frame.groupby("domain")["split"].transform(lambda own: random.permutation(own))
    place = predictions.column_names.index("split")
    return predictions.set_column(place, "split", pa.array(dealt, pa.string()))


def table(found: Mapping[tuple[str, str], list[dict[str, Any]]], targets: list[float]) -> str:
    """Return the rows of `main` as Markdown."""
    header = ["runs", "splits", "calibration error", "calibrated", "by chance"]
    header += [
        f"{what} at {100 * t:g} %" for t in targets for what in ("answered", "right", "kept")
    ]
    body = [header]
    for (variation, title), splits in found.items():
        cells = [percent(np.mean([own[name] for own in splits])) for name in _ERRORS]
        for target in targets:
            pairs = [domain for own in splits for domain in own[target]]
            total, answered, right = (
                sum(pair[name] for pair in pairs) for name in ("texts", "answered", "right")
            )
            kept = [pair["right"] >= target * pair["answered"] for pair in pairs]
            cells += [percent(answered / total), percent(right / max(answered, 1))]
            cells += [percent(np.mean(kept))]
        body.append([f"{variation}, {title}", str(len(splits)), *cells])
    return plain_table(body)


if __name__ == "__main__":
    app.run(main)
