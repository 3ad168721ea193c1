"""Between the phases: rounds of self-training on texts without labels, and the gate before them."""

import logging
from typing import Any

import keras
import numpy as np
import pyarrow as pa

from easymft import files
from easymft.config.method import FIRST_LEARNER, META_LEARNER
from easymft.methods import phases, self_training
from easymft.methods.checkpoint import History
from easymft.methods.evaluation import class_probabilities
from easymft.methods.phases import Task
from easymft.methods.trainer import Trainer, TrainingTexts
from easymft.models import TextClassifier
from easymft.runs.run import Run

logger = logging.getLogger(__name__)


def self_train(run: Run) -> dict[str, Any]:
    """Train on pseudo-labelled texts too, as long as the gate lets rounds pass.

    Every training is a part of the stage with a marker and a model of its own, so that a killed
    stage goes on with the part it was at.
    """
    settings, right = run.config.self_train, None
    rounds = settings.rounds
    if settings.gate == "cross_fit":
        right = _cross_fitted(run)
        rounds = self_training.kept_rounds(right)
        logger.info("Of cross-fitted labelled texts right, round by round: %s.", right)
    model, tables, facts = run.load(FIRST_LEARNER), [], []
    by_round = [] if settings.gate != "dev" else [_right_on_dev(run.task, model)]
    for number in range(1, rounds + 1):
        student, table, found = _round(run, run.task, model, number)
        if settings.gate == "dev":
            by_round.append(_right_on_dev(run.task, student))
            if by_round[-1] <= by_round[-2]:
                break
        model = student
        tables.append(table)
        facts.append(found)
    right = right or by_round
    if len(facts) < settings.rounds:
        logger.info("Self-training: %d rounds kept, the next does not help.", len(facts))
    if tables:
        files.write_parquet(run.folder.pseudo_labels, pa.concat_tables(tables))
    run.keep(model, META_LEARNER)
    for name in _part_names(run):
        files.remove(run.folder.model(name))
    asked = {"cross_fit": "train", "dev": "dev"}.get(settings.gate)
    return {
        "rounds": facts,
        "kept": len(facts),
        "asked": settings.rounds,
        "gate": settings.gate,
        "gate_texts": len(run.task.splits[asked]) if asked else 0,
        "right": right,
    }


def _part_names(run: Run) -> list[str]:
    settings = run.config.self_train
    rounds = range(settings.rounds + 1)
    names = [f"round-{number}" for number in rounds]
    names += [f"fold-{fold}-round-{n}" for fold in range(settings.folds) for n in rounds]
    return names


def _cross_fitted(run: Run) -> list[int]:
    """Return how many held-out labelled texts the first model and each round's gets right."""
    settings = run.config.self_train
    right = np.zeros(settings.rounds + 1, int)
    for fold, task in enumerate(self_training.folds(run.task, settings.folds)):
        model = _first(run, task, f"fold-{fold}-round-0")
        right[0] += _right_on_dev(task, model)
        for number in range(1, settings.rounds + 1):
            model, *_ = _round(run, task, model, number, f"fold-{fold}-")
            right[number] += _right_on_dev(task, model)
    return right.tolist()


def _first(run: Run, task: Task, name: str) -> TextClassifier:
    """Return the model of the mixed phase on a task of fewer texts."""
    scores = None
    if run.method.uses_typicality:
        scores = phases.score(task, run.new_classifier(), {"train": task.splits["train"]})
    return _trained(
        run, name, lambda record: phases.meta_fine_tune(task, run.backbone(), record, scores)
    )[0]


def _round(
    run: Run, task: Task, teacher: TextClassifier, number: int, prefix: str = ""
) -> tuple[TextClassifier, pa.Table, dict[str, Any]]:
    """Return a round's model, the texts it was taught by, and facts about them."""
    settings = run.config.self_train
    guesses = self_training.label(task, teacher)
    chosen = self_training.choose(task, guesses, settings)
    student, history = _trained(
        run,
        f"{prefix}round-{number}",
        lambda record: self_training.learn(task, teacher, chosen, run.backbone(), record, settings),
    )
    facts = {"history": history, **_counts(run, guesses, chosen)}
    return student, _table(run, chosen, number), facts


def _trained(run: Run, name: str, train: Any) -> tuple[TextClassifier, History]:
    """Return a model that `train` makes when given a `Record`; or as it was kept, if that is done.

    Every training draws as if it were the first of its process, however often that was killed.
    """
    part = f"self_train-{name}"
    if run.folder.is_done(part):
        return run.load(name), run.folder.facts(part)["history"]

    def record(
        trainer: Trainer, title: str, texts: TrainingTexts, of: int | str | None = None
    ) -> History:
        return run.record(trainer, f"{title}, {name}", texts, name)

    keras.utils.set_random_seed(run.config.seed)
    model, history = train(record)
    run.keep(model, name)
    run.mark_done(part, {"history": history})
    run.checkpoint(name).discard()
    return model, history


def _right_on_dev(task: Task, model: TextClassifier) -> int:
    rows = task.splits["dev"]
    guessed = class_probabilities(model, "the gate", task.tokens, rows).argmax(axis=1)
    return int((guessed == np.asarray(task.tokens.labels)[rows]).sum())


def _counts(
    run: Run, guesses: self_training.PseudoLabels, chosen: self_training.PseudoLabels
) -> dict[str, Any]:
    """Return numbers of labelled and chosen texts; how many are right, where that is known."""
    corpus = run.data.corpus
    labels, domains = corpus.codes("label"), corpus.codes("domain")

    def by_cell(part: self_training.PseudoLabels, which: np.ndarray) -> dict[str, Any]:
        counts = np.zeros((len(corpus.domains), len(corpus.labels)), int)
        np.add.at(counts, (domains[part.rows[which]], part.labels[which]), 1)
        return {
            domain: dict(zip(corpus.labels, row, strict=True))
            for domain, row in zip(corpus.domains, counts.tolist(), strict=True)
        }

    def of(part: self_training.PseudoLabels) -> dict[str, Any]:
        known = labels[part.rows] >= 0
        return {
            "texts": by_cell(part, np.ones(len(part.rows), bool)),
            "known": by_cell(part, known),
            "right": by_cell(part, known & (labels[part.rows] == part.labels)),
        }

    return {"labeled": of(guesses), "chosen": of(chosen)}


def _table(run: Run, chosen: self_training.PseudoLabels, number: int) -> pa.Table:
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
