"""From data to trained models: validate, typicality, meta fine-tuning, fine-tuning."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np

from easymft import files
from easymft.config.method import BY_FINE_TUNED, BY_META_LEARNER, META_LEARNER
from easymft.data.corpus.splits import Splits
from easymft.errors import InputError
from easymft.methods import typicality as scoring
from easymft.methods.evaluation import class_probabilities
from easymft.methods.meta_learner import build_meta_learner
from easymft.methods.trainer import Trainer, discard
from easymft.models import TextClassifier, TextEmbedder, load_backbone
from easymft.models.backbone import num_layers
from easymft.models.lora import enable_lora
from easymft.runs.run import Run

logger = logging.getLogger(__name__)


def validate(run: Run) -> dict[str, Any]:
    """Check the data and write the splits; raises `InputError` where training is senseless."""
    data = run.data
    splits, dropped, report = data.checked_splits()
    for line in report.lines():
        logger.info("%s", line)
    report.raise_for_problems()
    _check_method(run)
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
        "notes": [*corpus.notes, *report.warnings],
        "leaks_dropped": dropped,
        "counts": report.counts,
        "lengths": report.lengths,
        "length_unit": report.length_unit,
        "labels": list(corpus.labels),
        "domains": list(corpus.domains),
    }


def typicality(run: Run) -> dict[str, Any]:
    """Score texts with the encoder as it was pre-trained: those that later stages ask about."""
    train, clip = score_texts(run)["train"], run.config.mft.clip
    clipped = 0 if clip is None else int((train < clip).sum())
    if clipped:
        logger.warning("%d typicalities lie below %g and are clipped.", clipped, clip)
    return {"mean": float(train.mean()), "clipped": clipped, "texts": len(train)}


def texts_to_score(run: Run) -> Splits:
    """The texts whose typicality the stages of a run ask about."""
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
    else:
        scores = _scores(run, run.new_classifier(), splits)
    files.write_parquet(run.folder.typicality, scoring.table(data.corpus, splits, scores))
    return scores


def meta_fine_tune(run: Run) -> dict[str, Any]:
    """Train one model on all domains mixed."""
    config, data = run.config, run.data
    phase, _ = run.method.phases(config)
    rows = data.splits["train"]
    model = build_meta_learner(
        run.method,
        run.backbone(),
        config,
        data.num_classes,
        data.num_domains,
        phase.steps(len(rows)),
    )
    weight, dev_weight = _weights(run, model)
    history = run.train(
        Trainer(model, phase, config.optimizer, config.seed),
        "meta fine-tuning" if run.method.fine_tunes else "training",
        META_LEARNER,
        rows=rows,
        sample_weight=weight,
        dev_rows=data.splits["dev"],
        dev_weight=dev_weight,
    )
    # What later stages need: the classifier, without the heads that only training has.
    run.keep(model.without_heads(), META_LEARNER)
    discard(run.folder.checkpoint(META_LEARNER))
    return {"history": history}


def fine_tune(run: Run) -> dict[str, Any]:
    """Train one copy of the meta-learner per domain."""
    config, data = run.config, run.data
    _, phase = run.method.phases(config)
    model = _start_of_fine_tuning(run)
    if phase.lora_rank is not None:
        enable_lora(model, phase.lora_rank)
    start = model.get_weights()
    trainer = Trainer(model, phase, config.optimizer, config.seed)
    compares = phase.select_best_on_dev and META_LEARNER in run.models()
    learner = run.load(META_LEARNER) if compares else None
    facts = {}
    for name, code in run.models().items():
        if code is None:
            continue
        part, domain = f"fine_tune-{code}", data.corpus.domains[code]
        if not run.folder.is_done(part):
            model.set_weights(start)
            curve = run.train(
                trainer,
                f"fine-tuning {domain}",
                name,
                domain=code,
                rows=data.rows_of("train", code),
                dev_rows=data.rows_of("dev", code),
            )
            dev = {} if learner is None else _dev_accuracies(run, learner, model, code)
            better = not dev or dev[BY_FINE_TUNED] > dev[BY_META_LEARNER]
            run.keep(model if better else learner, name)
            run.mark_done(part, {"history": curve, "dev_accuracy": dev, "is_kept": better})
            discard(run.folder.checkpoint(name))
            if not better:
                logger.info("%s keeps the meta-learner, which does as well on dev.", domain)
        facts[domain] = run.folder.facts(part)
    return {
        "history": {domain: own["history"] for domain, own in facts.items()},
        "keep_meta_learner": [domain for domain, own in facts.items() if not own["is_kept"]],
    }


def _check_method(run: Run) -> None:
    """Raise `InputError` for settings of the method that do not fit the data or the encoder."""
    mft, data = run.config.mft, run.data
    phases = zip(("meta_fine_tune", "fine_tune"), run.method.phases(run.config), strict=True)
    for name, phase in phases:
        parts = 1 if phase is None else phase.gradient_accumulation_steps
        if parts > 1 and run.distribution.replicas > 1:
            raise InputError(
                "Keras cannot accumulate gradients where several replicas share a batch; take 1, "
                f"or `distribution.strategy` one_device. Received: {parts}",
                field=f"{name}.gradient_accumulation_steps",
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


def _start_of_fine_tuning(run: Run) -> TextClassifier:
    """The meta-learner, or the encoder as pre-trained where a method has no mixed phase."""
    if run.method.model is None:
        return run.new_classifier()
    model = run.load(META_LEARNER)
    if not run.config.mft.keep_class_head:
        model.reset_class_head()
    return model


def _dev_accuracies(
    run: Run, learner: TextClassifier, fine_tuned: TextClassifier, domain: int
) -> dict[str, float]:
    """How many of a domain's development texts both models get right; empty without texts."""
    rows = run.data.rows_of("dev", domain)
    if not len(rows):
        return {}
    labels, found = run.data.tokens.labels[rows], {}
    for name, model in ((BY_META_LEARNER, learner), (BY_FINE_TUNED, fine_tuned)):
        probabilities = class_probabilities(model, "comparing on dev", run.data.tokens, rows)
        found[name] = float((probabilities.argmax(axis=1) == labels).mean())
    return found


def _scores(run: Run, model: TextClassifier, splits: Splits) -> dict[str, np.ndarray]:
    data = run.data
    layer = scoring.weighting(data.num_classes, data.num_domains, run.config.mft)
    return scoring.scores(TextEmbedder(model), data.training_tokens, splits, layer)


def _weights(
    run: Run, model: TextClassifier
) -> tuple[np.ndarray | Callable[[], np.ndarray] | None, np.ndarray | None]:
    """Weights of the training and of the dev texts, where the method has them.

    With `mft.refresh_typicality` those of training are a function, for each epoch to call anew.
    """
    mft = run.config.mft
    if not run.method.uses_typicality:
        return None, None
    weights = scoring.loss_weights(scoring.read_scores(run.folder.typicality), mft)
    dev_weight = weights["dev"] if mft.weighted_evaluation else None
    if not mft.refresh_typicality:
        return weights["train"], dev_weight
    train = {"train": run.data.splits["train"]}
    return lambda: scoring.loss_weights(_scores(run, model, train), mft)["train"], dev_weight
