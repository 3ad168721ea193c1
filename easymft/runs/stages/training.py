"""From data to trained models: validate, typicality, meta fine-tuning, fine-tuning."""

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
from easymft.data.corpus.parts import TRAINING_PARTS, UNLABELED, joined_rows
from easymft.data.corpus.splits import Splits
from easymft.errors import InputError
from easymft.methods import phases, task_typicality
from easymft.methods import typicality as scoring
from easymft.methods.answers import check_promise
from easymft.methods.evaluation import class_probabilities
from easymft.models import TextClassifier, load_backbone
from easymft.models.backbone import num_layers
from easymft.models.domain_parts import DomainParts
from easymft.runs.run import Run
from easymft.runs.stages import baselines
from easymft.runs.stages.records import PartRecord

logger = logging.getLogger(__name__)


def validate(run: Run) -> dict[str, Any]:
    """Check the data and write the splits; raises `InputError` where training is senseless."""
    data = run.data
    splits, dropped, report = data.checked_splits()
    for line in report.lines():
        logger.info("%s", line)
    report.raise_for_problems()
    _check_method(run)
    _check_label_sets(run)
    _check_unlabeled(run, splits)
    _check_selection(run)
    if run.config.answers.folds and not run.method.trains_encoder:
        message = f"is for methods that train an encoder; leave it out of `{run.method.name}`"
        raise InputError(message, field="answers.folds")
    check_promise(run.config.answers, "dev" in run.config.evaluate_on and len(splits["dev"]) > 0)
    if run.folder.is_done("validate"):
        data.check_unchanged()
    run.folder.begin()
    data.save_splits(splits)
    with run.logs() as logs:
        logs.add_recipe(run.config.to_dict())
    corpus = data.corpus
    return {
        "corpus": corpus.name,
        "origin": corpus.origin,
        "is_sample": corpus.is_sample,
        "fingerprint": data.fingerprint,
        "notes": [*corpus.notes, *report.notes(), *report.warnings],
        "leaks_dropped": dropped,
        "counts": report.counts,
        "lengths": report.lengths,
        "length_unit": report.length_unit,
        "max_length": report.max_length,
        "unknown_shares": report.unknown_shares,
        "labels": list(corpus.labels),
        "domains": list(corpus.domains),
    }


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


def _check_method(run: Run) -> None:
    """Raise `InputError` for settings of the method that do not fit the data or the encoder."""
    mft, data = run.config.mft, run.data
    mixed, own = run.method.phases(run.config.meta_fine_tune, run.config.fine_tune)
    for name, phase in (("meta_fine_tune", mixed), ("fine_tune", own)):
        parts = 1 if phase is None else phase.gradient_accumulation_steps
        if parts > 1 and run.distribution.replicas > 1:
            raise InputError(
                "Keras cannot accumulate gradients where several replicas share a batch; take 1, "
                f"or `distribution.strategy` one_device. Received: {parts}",
                field=f"{name}.gradient_accumulation_steps",
            )
    if run.has_parts and run.method.trains_encoder and not mft.keep_class_head:
        raise InputError(
            "false gives each domain a fresh class head, and small parts stand beside the "
            'meta-learner\'s; take `fine_tune.parts` "all", or true',
            field="mft.keep_class_head",
        )
    weights, layers = mft.class_weights, mft.corruption_layers
    if weights is not None and len(weights) != data.num_classes:
        raise InputError(
            f"must hold one weight for each of the {data.num_classes} classes. "
            f"Received: {len(weights)}",
            field="mft.class_weights",
        )
    if mft.corruption == "other" and data.num_domains < 2:
        raise InputError(
            'needs two domains or more; take "uniform". Received: "other"', field="mft.corruption"
        )
    if layers is not None:
        backbone = load_backbone(run.config.backbone.preset, load_weights=False)
        last = num_layers(backbone) - 1
        if not layers or max(layers) > last:
            raise InputError(
                f"must name layers from 0 to {last}. Received: {layers}",
                field="mft.corruption_layers",
            )


def _check_label_sets(run: Run) -> None:
    """Raise `InputError` where texts are not of the classes that their domains are said to have."""
    asked = run.config.data.label_sets
    if asked is not None and not run.method.trains_encoder:
        message = f"is not for the method `{run.method.name}`; leave it out"
        raise InputError(message, field="data.label_sets")
    if asked != "found":
        _ = run.data.label_sets  # what is found is so once the data are split


def _check_unlabeled(run: Run, splits: Splits) -> None:
    """Raise `InputError` where a method would learn from texts without labels, and has none."""
    if run.method.self_trains and not len(splits.get(UNLABELED, ())):
        raise InputError(
            f"`{run.method.name}` learns from texts without labels, and there are none; give them, "
            'or take `data.split.few_shot.rest` "unlabeled"',
            field="method",
        )
    if run.method.self_trains and run.config.self_train.gate == "dev" and not len(splits["dev"]):
        message = 'needs development texts, and there are none; take "cross_fit"'
        raise InputError(message, field="self_train.gate")
    trained = run.data.corpus.codes("domain")[joined_rows(splits, TRAINING_PARTS)]
    bare = np.setdiff1d(np.arange(run.data.num_domains), trained)
    if len(bare) and run.method.model in (None, "multi_task"):
        domain = run.data.corpus.domains[bare[0]]
        raise InputError(
            f"`{run.method.name}` has nothing to teach domain {domain!r} by, whose texts have no "
            "labels; take another method, such as `mix_self`",
            field="method",
        )


def _check_selection(run: Run) -> None:
    """Raise `InputError` where the best epoch of the mixed phase cannot be chosen."""
    phase, field = run.config.meta_fine_tune, "meta_fine_tune.select_best_on_dev"
    if phase.select_best_on_dev and not phase.validation_freq:
        message = "chooses among the epochs that `validation_freq` looks at; set that to 1 or more"
        raise InputError(message, field=field)
    if phase.select_best_on_dev and run.distribution.workers > 1:
        message = "cannot be had with several workers, each with a disk of its own"
        raise InputError(message, field=field)


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
