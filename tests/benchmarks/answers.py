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

`--keep FILE` writes the answers so used, of all such runs, and `--kept FILE` takes them from there:

    python -m tests.benchmarks.answers --kept app_zoo/results/beside_other_tools/held_out.parquet
"""

import glob
import json
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
_KEEP = flags.DEFINE_string("keep", None, "File to write the answers of the runs to.")
_KEPT = flags.DEFINE_string("kept", None, "File of such answers, in the place of `--runs`.")
_CONFIDENCE = flags.DEFINE_float("confidence", 0.9, "How sure promises are to be kept.", 0, 1)


def main(argv: list[str]) -> None:
    targets = [float(target) for target in _TARGETS.value]
    kept = files.read_parquet(_KEPT.value) if _KEPT.value else of_runs(_RUNS.value)
    if _KEEP.value:
        files.write_parquet(_KEEP.value, kept, compression="zstd")
    print(table(shown(kept, _SPLITS.value, targets, _CONFIDENCE.value), targets))


def of_runs(pattern: str) -> pa.Table:
    """Return the answers of the last models of runs, as those gave them, with the runs' names.

    The runs have the same classes, whose names, in order, are JSON in the schema's metadata.
    """
    tables, labels = [], set()
    for folder in sorted(map(Path, glob.glob(pattern))):
        config = files.read_json(folder / "config.json")
        if METHODS[config["method"]].has_encoder:
            answered = _raw_predictions(folder, config["method"])
            labels.add(tuple(files.read_json(folder / "stages" / "validate.json")["labels"]))
            run = {
                "variation": folder.parents[1].name,
                **{k: config[k] for k in ("method", "seed")},
            }
            for name, value in run.items():
                answered = answered.append_column(name, pa.repeat(value, len(answered)))
            tables.append(answered)
    (own,) = labels
    return pa.concat_tables(tables).replace_schema_metadata({"labels": json.dumps(own)})


def shown(
    kept: pa.Table, splits: int, targets: list[float], confidence: float
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return what each split of the held-out texts shows, of the runs of each row."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    labels = json.loads(kept.schema.metadata[b"labels"])
    runs = kept.select(["variation", "method", "seed"]).to_pandas()
    for (variation, method, _), rows in runs.groupby([*runs], sort=False).indices.items():
        own = _of_run(kept.take(rows), labels, splits, targets, confidence)
        found.setdefault((variation, METHODS[method].title), []).extend(own)
    return found


def _of_run(
    predictions: pa.Table, labels: list[str], splits: int, targets: list[float], confidence: float
) -> Iterator[dict[str, Any]]:
    domains = pc.unique(predictions["domain"]).to_pylist()
    for split in range(splits):
        dealt = _dealt(predictions, split)
        found: dict[str, Any] = {}
        for target in targets:
            settings = Answers(target_accuracy=target, confidence=confidence)
            facts = answers.fit(dealt, labels, domains, settings)
            after = answers.calibrated(dealt, facts, domains)
            (tried,) = answers.tried(dealt, after, facts, domains).values()
            found |= {name: tried[name] for name in _ERRORS}
            found[target] = list(tried["domains"].values())
        yield found


def _raw_predictions(folder: Path, method: str) -> pa.Table:
    """Return the answers of a run's last model as that gave them."""
    predictions = files.read_parquet(folder / "predictions.parquet")
    model = METHODS[method].answers_by
    predictions = predictions.filter(pc.field("model") == model)
    if (folder / "answers.json").exists():
        predictions = _uncalibrated(predictions, files.read_json(folder / "answers.json"), model)
    return predictions


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
