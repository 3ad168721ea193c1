"""The first stage: are the data in order, and do the settings fit them?"""

import logging
from typing import Any

import numpy as np

from easymft.data.corpus.parts import TRAINING_PARTS, UNLABELED, joined_rows
from easymft.data.corpus.splits import Splits
from easymft.errors import InputError
from easymft.runs.untrained_run import UntrainedRun

logger = logging.getLogger(__name__)


def validate(run: UntrainedRun) -> dict[str, Any]:
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
    run.config.answers.check_promise("dev" in run.config.evaluate_on and len(splits["dev"]) > 0)
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


def _check_method(run: UntrainedRun) -> None:
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
        from easymft.models.backbone import load_backbone, num_layers  # starts Keras

        backbone = load_backbone(run.config.backbone.preset, load_weights=False)
        last = num_layers(backbone) - 1
        if not layers or max(layers) > last:
            raise InputError(
                f"must name layers from 0 to {last}. Received: {layers}",
                field="mft.corruption_layers",
            )


def _check_label_sets(run: UntrainedRun) -> None:
    """Raise `InputError` where texts are not of the classes that their domains are said to have."""
    asked = run.config.data.label_sets
    if asked is not None and not run.method.trains_encoder:
        message = f"is not for the method `{run.method.name}`; leave it out"
        raise InputError(message, field="data.label_sets")
    if asked != "found":
        _ = run.data.label_sets  # what is found is so once the data are split


def _check_unlabeled(run: UntrainedRun, splits: Splits) -> None:
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


def _check_selection(run: UntrainedRun) -> None:
    """Raise `InputError` where the best epoch of the mixed phase cannot be chosen."""
    phase, field = run.config.meta_fine_tune, "meta_fine_tune.select_best_on_dev"
    if phase.select_best_on_dev and not phase.validation_freq:
        message = "chooses among the epochs that `validation_freq` looks at; set that to 1 or more"
        raise InputError(message, field=field)
    if phase.select_best_on_dev and run.distribution.workers > 1:
        message = "cannot be had with several workers, each with a disk of its own"
        raise InputError(message, field=field)
