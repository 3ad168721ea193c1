"""`--mode monitor`: served texts beside those that a run was tried on; no label is needed."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from easymft import files
from easymft.data.batches.tokenized import tokenized
from easymft.data.corpus.lists import unlabelled
from easymft.data.corpus.rows import to_name
from easymft.errors import InputError
from easymft.export.predict import COLUMNS, predict_file
from easymft.methods.reference import pieces_of
from easymft.report.drift import Drift, Measure, render_drift_html, render_prometheus
from easymft.report.shift import Shift
from easymft.runs.run import Run

_FEWEST = 30  # texts of a domain that shares are made of
# Ends of the bins of a measure that is a number, the last one open.
_BINS = {
    "familiarity": tuple(np.arange(0, 1, 0.1)),
    "unknown pieces": (0, 1e-9, 0.02, 0.1),
    "cut texts": (0, 0.5),
    "answered texts": (0, 0.5),
}


def monitor(run: Run, source: str, limit: float, folder: Path) -> Drift:
    """Compare served texts with the held-out texts of a run; write a page and figures.

    Args:
        run: A finished and exported run.
        source: As `input` of `easymft.export.predict.predict_file`.
        limit: Stability index beyond which a measure has moved.
        folder: Where `drift.html` and `drift.prom`, for Prometheus' node exporter, are written.

    Raises:
        InputError: The run has no export, is of an earlier release, or the texts cannot be read.
    """
    if not run.folder.reference.exists():
        message = "is missing: what served texts are compared with; run `--mode evaluate` first"
        raise InputError(message, file=run.folder.reference)
    reference = files.read_parquet(run.folder.reference).to_pandas()
    served = _served(run, source)
    known = set(reference["domain"])
    served["domain"] = [name if name in known else "" for name in map(to_name, served["domain"])]
    domains = list(dict.fromkeys(reference["domain"]))
    measures = [
        measure
        for name in [*domains, ""]
        for measure in _measures(
            name,
            # Texts of no known domain are beside those of all.
            reference[reference["domain"] == name] if name else reference,
            served[served["domain"] == name],
            run.labels,
            limit,
        )
    ]
    few = {name: n for name in domains if 0 < (n := (served["domain"] == name).sum()) < _FEWEST}
    drift = Drift(run.config.name, len(served), limit, measures, few)
    files.write_text(folder / "drift.html", render_drift_html(drift))
    files.write_text(folder / "drift.prom", render_prometheus(drift))
    return drift


def _served(run: Run, source: str) -> pd.DataFrame:
    """Return what the exported models answer, and what the tokenizer makes of the texts."""
    data = run.config.data
    with tempfile.TemporaryDirectory() as temporary:
        answers = Path(temporary, "answers.parquet")
        predict_file(
            run.folder.export,
            source,
            answers,
            columns={**COLUMNS, **data.columns.model_dump(exclude_none=True)},
            encoding=data.encoding,
            delimiter=data.delimiter,
        )
        table = files.read_parquet(answers)
        if missing := {"abstain", "familiarity"} - set(table.column_names):
            missing_words = " and no ".join(sorted(missing))
            message = f"answers no {missing_words}; `--mode export` makes it anew"
            raise InputError(message, file=run.folder.export)
        roles = [name for name in ("text", "text_pair") if name in table.column_names]
        corpus, _ = unlabelled({name: table[name].to_pylist() for name in roles})
        frame = table.select(["label", "abstain", "familiarity"]).to_pandas()
        names = table["domain"].to_pylist() if "domain" in table.column_names else ""
        with tokenized(corpus, run.data.preprocessor) as tokens:
            return frame.assign(domain=names, **pieces_of(tokens, np.arange(len(table))))


def _measures(
    domain: str, reference: pd.DataFrame, served: pd.DataFrame, labels: Sequence[str], limit: float
) -> Iterator[Measure]:
    if len(served) < _FEWEST or reference.empty:
        return
    both = [
        {
            "familiarity": part["familiarity"],
            "unknown pieces": part["unknown"],
            "cut texts": part["cut"].astype(float),
            "answered texts": 1.0 - part["abstain"].astype(float),
        }
        for part in (reference, served)
    ]
    for name, bins in _BINS.items():
        if name == "answered texts" and not (reference["abstain"].any() or served["abstain"].any()):
            continue  # the run answers every text
        counts = [
            np.bincount(np.digitize(part[name], bins) - 1, minlength=len(bins)) for part in both
        ]
        means = [float(part[name].mean()) for part in both]
        yield Measure(domain, name, *means, len(served), Shift.of(*counts), limit)
    counts = [
        np.array([(part["label"] == label).sum() for label in labels])
        for part in (reference, served)
    ]
    shift = Shift.of(*counts)
    for label, *own in zip(labels, *counts, strict=True):
        shares = [count / len(part) for count, part in zip(own, (reference, served), strict=True)]
        yield Measure(domain, f"share of {label}", *shares, len(served), shift, limit)
