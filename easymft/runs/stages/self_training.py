"""Between the phases: rounds of self-training on texts without labels, and the gate before them."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pyarrow as pa

from easymft import files
from easymft.config.method import FIRST_LEARNER, META_LEARNER
from easymft.methods import rounds
from easymft.methods.phases import Record
from easymft.methods.rounds import Fitted, Round
from easymft.models.pseudo_labels import PseudoLabels
from easymft.runs.run import Run
from easymft.runs.stages.records import PartRecord


def self_train(run: Run) -> dict[str, Any]:
    """Train on pseudo-labelled texts too, as long as the gate lets rounds pass.

    Every training is a part of the stage with a marker and a model of its own, so that a killed
    stage goes on with the part it was at.
    """
    settings, first = run.config.self_train, run.load(FIRST_LEARNER)
    found = rounds.self_train(run.task, first, run.backbone, functools.partial(_fit, run))
    files.remove(run.folder.pseudo_labels)  # of an earlier time
    if found.rounds:
        tables = [_table(run, r.chosen, number) for number, r in enumerate(found.rounds, start=1)]
        files.write_parquet(run.folder.pseudo_labels, pa.concat_tables(tables))
    run.keep(found.model, META_LEARNER)
    for name in rounds.model_names(settings):
        files.remove(run.folder.model(name))
    asked = {"cross_fit": "train", "dev": "dev"}.get(settings.gate)
    return {
        "rounds": [_facts(run, part) for part in found.rounds],
        "kept": len(found.rounds),
        "asked": settings.rounds,
        "gate": settings.gate,
        "gate_texts": len(run.task.splits[asked]) if asked else 0,
        "right": found.right,
    }


def _fit(run: Run, name: str, train: Callable[[Record], Fitted]) -> Fitted:
    """Train and keep a model, unless that is done; a `rounds.Fit`.

    Every training draws as if it were the first of its process, however often that was killed.
    """
    part = f"self_train-{name}"
    if run.folder.is_done(part):
        return run.load(name), run.folder.facts(part)["history"]

    record = PartRecord(run, name, name)
    keras.utils.set_random_seed(run.config.seed)
    model, history = train(record)
    run.keep(model, name)
    run.mark_done(part, {"history": history})
    record.discard()
    return model, history


def _facts(run: Run, found: Round) -> dict[str, Any]:
    """Return a round's history, and numbers of texts: labelled, chosen, right where known."""
    corpus = run.data.corpus
    labels, domains = corpus.codes("label"), corpus.codes("domain")

    def by_cell(part: PseudoLabels, which: np.ndarray) -> dict[str, Any]:
        counts = np.zeros((len(corpus.domains), len(corpus.labels)), int)
        np.add.at(counts, (domains[part.rows[which]], part.labels[which]), 1)
        return {
            domain: dict(zip(corpus.labels, row, strict=True))
            for domain, row in zip(corpus.domains, counts.tolist(), strict=True)
        }

    def of(part: PseudoLabels) -> dict[str, Any]:
        known = labels[part.rows] >= 0
        return {
            "texts": by_cell(part, np.ones(len(part.rows), bool)),
            "known": by_cell(part, known),
            "right": by_cell(part, known & (labels[part.rows] == part.labels)),
        }

    return {"history": found.history, "labeled": of(found.guesses), "chosen": of(found.chosen)}


def _table(run: Run, chosen: PseudoLabels, number: int) -> pa.Table:
    """`pseudo_labels.parquet`: a row a chosen text and round."""
    corpus = run.data.corpus
    part = corpus.take(chosen.rows).table
    names = pa.array(corpus.labels)
    known = pa.array(part["label"].to_numpy(), mask=part["label"].to_numpy() < 0)
    return pa.table(
        {
            "round": pa.array(np.full(len(chosen.rows), number, np.int32)),
            "id": part["id"],
            "domain": pa.array(corpus.domains).take(part["domain"]),
            "pseudo_label": names.take(pa.array(chosen.labels)),
            "label": names.take(known),
            "confidence": pa.array(chosen.confidence, pa.float32()),
            "typicality": pa.array(chosen.typicality, pa.float32()),
            "margin": pa.array(chosen.margin, pa.float32()),
        }
    )
