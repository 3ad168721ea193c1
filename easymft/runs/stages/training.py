"""From data to trained models: typicality, meta fine-tuning, fine-tuning."""

import logging
from typing import Any

import keras
import numpy as np

from easymft import files
from easymft.config.method import (
    BY_FINE_TUNED,
    BY_META_LEARNER,
    DOMAIN_PARTS,
    FIRST_LEARNER,
    META_LEARNER,
)
from easymft.data.corpus.splits import Splits
from easymft.methods import phases, task_typicality
from easymft.methods import typicality as scoring
from easymft.methods.evaluation import class_probabilities
from easymft.models import TextClassifier
from easymft.models.domain_parts import DomainParts
from easymft.runs.run import Run
from easymft.runs.stages import baselines
from easymft.runs.stages.records import PartRecord

logger = logging.getLogger(__name__)


def typicality(run: Run) -> dict[str, Any]:
    """Score texts that later stages ask about, by the encoder of `mft.typicality_from`."""
    train, clip = score_texts(run)["train"], run.config.mft.clip
    clipped = 0 if clip is None else int((train < clip).sum())
    if clipped:
        logger.warning("%d typicalities lie below %g and are clipped.", clipped, clip)
    return {"mean": float(train.mean()), "clipped": clipped, "texts": len(train)}


def texts_to_score(run: Run) -> Splits:
    """Return the texts whose typicality the stages of a run ask about."""
    config = run.config
    asked = {
        "train": True,
        "dev": config.diagnose or config.mft.weighted_evaluation,
        "test": config.diagnose and "test" in config.evaluate_on,
    }
    return {name: run.data.splits[name] for name in asked if asked[name]}


def score_texts(run: Run) -> dict[str, np.ndarray]:
    """Write `typicality.parquet`; return the scores by split, not clipped."""
    data, splits = run.data, texts_to_score(run)
    if "typicality" in data.corpus.table.column_names:
        given = data.corpus.table["typicality"].to_numpy()
        scores = {name: given[rows] for name, rows in splits.items()}
    elif run.config.mft.scores_by_task:
        scores = _task_typicality(run, splits)
    else:
        layer = phases.weighting(run.task)
        scores = phases.score(run.task, run.new_classifier(), splits, layer)
        if run.has_parts:
            # For domains that are added later.
            with files.staged(run.folder.centroids) as path, open(path, "wb") as file:
                np.savez(file, **scoring.centroids_of(layer))
    files.write_parquet(run.folder.typicality, scoring.table(data.corpus, splits, scores))
    return scores


def _task_typicality(run: Run, splits: Splits) -> dict[str, np.ndarray]:
    """Return the typicalities by encoders that know the task; each is a part of the stage."""
    task, scored = run.task, []
    others = {name: rows for name, rows in splits.items() if name != "train"}
    parts = task_typicality.parts(task)
    for number, part in enumerate(parts):
        marker = f"typicality-{number}"
        facts = run.folder.facts(marker) if run.folder.is_done(marker) else {}
        if not facts.keys() >= {task_typicality.OWN, *others}:
            record = PartRecord(run, marker, f"typicality {number + 1} of {len(parts)}")
            # Every part draws as if it were the first of its process.
            keras.utils.set_random_seed(run.config.seed)
            found = task_typicality.score_part(part, others, run.backbone, record)
            facts = {name: values.tolist() for name, values in found.items()}
            run.mark_done(marker, facts)
            record.discard()
        names = (task_typicality.OWN, *others)
        scored.append((part, {name: np.array(facts[name], np.float32) for name in names}))
    return task_typicality.joined(task, scored)


def meta_fine_tune(run: Run) -> dict[str, Any]:
    """Train one model on all domains mixed."""
    if not run.method.trains_encoder:
        return baselines.fit_shared(run)
    uses = run.method.uses_typicality
    scores = scoring.read_scores(run.folder.typicality) if uses else None
    model, history = phases.meta_fine_tune(run.task, run.backbone(), run.record, scores)
    run.keep(model, FIRST_LEARNER if run.method.self_trains else META_LEARNER)
    run.checkpoint(META_LEARNER).discard()
    return {"history": history}


def fine_tune(run: Run) -> dict[str, Any]:
    """Train one copy of the meta-learner per domain, or small parts of all domains beside it."""
    if not run.method.trains_encoder:
        return baselines.fit_domains(run)
    if run.has_parts:
        return _fine_tune_parts(run)
    has_learner = META_LEARNER in run.models()
    start = run.load(META_LEARNER) if has_learner else run.new_classifier(run.data.label_sets)
    tuning = phases.FineTuning(run.task, start)
    compares = has_learner and tuning.phase.select_best_on_dev
    learner = run.load(META_LEARNER) if compares else None
    facts = {}
    for name, code in run.models().items():
        if code is not None:
            facts[run.data.corpus.domains[code]] = _fine_tuned(run, tuning, learner, name, code)
    domains = enumerate(run.data.corpus.domains)
    bare = [domain for code, domain in domains if not len(run.data.rows_of("train", code))]
    kept = [domain for domain, own in facts.items() if not own["is_kept"] and domain not in bare]
    return {
        "history": {domain: own["history"] for domain, own in facts.items()},
        "keep_meta_learner": kept,
        "without_labels": bare,
    }


def _fine_tuned(
    run: Run, tuning: phases.FineTuning, learner: TextClassifier | None, name: str, code: int
) -> dict[str, Any]:
    """Train and keep the copy of one domain, unless that is done; return the facts about it."""
    part, data = f"fine_tune-{code}", run.data
    if run.folder.is_done(part):
        return run.folder.facts(part)
    rows, dev_rows = data.rows_of("train", code), data.rows_of("dev", code)
    if not len(rows):  # Only texts without labels.
        run.keep(run.load(META_LEARNER), name)
        facts = {"history": [], "dev_accuracy": {}, "is_kept": False}
        run.mark_done(part, facts)
        return facts
    history = tuning.run(code, run.record, rows, dev_rows)
    dev = {} if learner is None else _dev_accuracies(run, learner, tuning.model, code)
    better = not dev or dev["fine_tuned"] > dev["meta_learner"]
    run.keep(tuning.model if better else learner, name)
    facts = {"history": history, "dev_accuracy": dev, "is_kept": better}
    run.mark_done(part, facts)
    run.checkpoint(name).discard()
    if not better:
        domain = data.corpus.domains[code]
        logger.info("%s keeps the meta-learner, which does as well on dev.", domain)
    return facts


def _fine_tune_parts(run: Run) -> dict[str, Any]:
    """Train and keep the parts of all domains; those that do no better on dev are left out."""
    domains, kept = run.data.corpus.domains, []
    model, history = phases.fine_tune_parts(run.task, run.load(META_LEARNER), run.record)
    parts = DomainParts.of(model, domains)
    if run.config.fine_tune.select_best_on_dev:
        kept = phases.no_better_on_dev(run.task, model)
        parts = parts.of_domains([d for d in domains if d not in kept]).of_domains(domains)
    run.keep_parts(parts)
    run.checkpoint(DOMAIN_PARTS).discard()
    if kept:
        logger.info("%s: the meta-learner, which does as well on dev.", ", ".join(kept))
    return {"history": {"all domains": history}, "keep_meta_learner": kept}


def _dev_accuracies(
    run: Run, learner: TextClassifier, fine_tuned: TextClassifier, domain: int
) -> dict[str, float]:
    """Return each model's accuracy on a domain's dev texts; empty where there are none."""
    rows = run.data.rows_of("dev", domain)
    if not len(rows):
        return {}
    labels, found = run.data.tokens.labels[rows], {}
    for name, model in ((BY_META_LEARNER, learner), (BY_FINE_TUNED, fine_tuned)):
        probabilities = class_probabilities(model, "comparing on dev", run.data.tokens, rows)
        found[name] = float((probabilities.argmax(axis=1) == labels).mean())
    return found
