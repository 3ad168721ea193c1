"""Domains that come and go after a run, as small parts beside its meta-learner."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from easymft import files
from easymft.config.method import META_LEARNER
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.label_sets import of_new_domain
from easymft.data.corpus.schema import Corpus
from easymft.data.corpus.splits import Splits
from easymft.errors import InputError, did_you_mean, listed
from easymft.methods import phases
from easymft.methods import typicality as scoring
from easymft.methods.checkpoint import Checkpoint, History
from easymft.methods.familiarity import familiar, table_of
from easymft.methods.trainer import Trainer, TrainingTexts
from easymft.models import TextClassifier, TextEmbedder
from easymft.models.domain_parts import DomainParts
from easymft.runs.additions import (
    exported,
    folder_of,
    keep_facts,
    named,
    parts_of,
    read_texts,
    splits_of,
)
from easymft.runs.execution import at_work
from easymft.runs.run import Run
from easymft.runs.stages.baselines import fit_new_domain

logger = logging.getLogger(__name__)


def add_domain(run: Run, source: str, name: str) -> dict[str, Any]:
    """Train parts of a new domain beside a finished run's meta-learner, and export them.

    Meta-learner and all other parts stay as they are, bit for bit. The texts' typicalities, against
    the centroids of the run's own domains, are kept in `added/`.

    Args:
        run: A finished run whose domains have small parts.
        source: File or glob of the labelled texts, with the columns that the recipe names; a
            domain column may be missing.
        name: The new domain.

    Returns:
        `texts`, `history`, `mean_typicality` (`None` where the method has none) and `models`,
        the export's newest versions.

    Raises:
        InputError: The run has no such parts, the domain is there, or the file cannot be used.
    """
    with at_work(run):
        parts, name = parts_of(run), named(name, "domain")
        if name in parts.domains:
            message = f"is a domain of this run already ({name!r}); `--mode remove_domain` first"
            raise InputError(message, field="--name")
        corpus, tokens = read_texts(run, source, run.labels, name)
        learner = run.load(META_LEARNER)
        new, history = _trained(run, parts.grown(learner), tokens, splits_of(corpus), corpus)
        facts: dict[str, Any] = {"texts": len(corpus), "history": history}
        facts["mean_typicality"] = _score(run, corpus, tokens, folder_of(run, name))
        run.keep_parts(parts.with_parts(new))
        if (known := run.familiarity()) is not None:
            words, rows = table_of(learner.backbone), np.arange(len(corpus))
            added = familiar(words, tokens, rows, corpus.domains, len(corpus.labels))
            run.keep_familiarity(known.with_domains(added))
        keep_facts(run, name, facts)
        return {**facts, "models": exported(run)}


def remove_domain(run: Run, name: str) -> dict[str, Any]:
    """Take a domain's parts away, and export the rest; the meta-learner then answers for it.

    Returns:
        `models`, the export's newest versions.

    Raises:
        InputError: There is no such domain, or no other.
    """
    with at_work(run):
        parts, name = parts_of(run), named(name, "domain")
        if name not in parts.domains:
            message = f"must be a domain of this run ({listed(parts.domains)}). Received: {name!r}"
            message += did_you_mean(name, parts.domains)
            raise InputError(message, field="--name")
        if len(parts.domains) == 1:
            raise InputError(f"{name!r} is the only domain; it stays", field="--name")
        run.keep_parts(parts.without(name))
        if (known := run.familiarity()) is not None:
            run.keep_familiarity(known.of_domains([d for d in known.domains if d != name]))
        files.remove(folder_of(run, name))
        return {"models": exported(run)}


def _trained(
    run: Run, learner: TextClassifier, tokens: TokenizedTexts, splits: Splits, corpus: Corpus
) -> tuple[DomainParts, History]:
    """Train the parts as the run did, in batches with as many texts of a domain as it had."""
    if not run.method.trains_encoder:
        return fit_new_domain(run, learner, tokens, splits["train"], *corpus.domains), []
    own = run.config.fine_tune
    config = phases.for_new_domain(run.config, len(run.folder.facts("validate")["domains"]))
    task = phases.Task(
        *(config, run.method, tokens, splits, len(corpus.labels), corpus.domains),
        label_sets=of_new_domain(run.config.data.label_sets, corpus, splits["train"]),
    )
    with run.distribution.scope():
        record = _Record(Checkpoint(run.folder.checkpoint("added")))
        model, history = phases.fine_tune_parts(task, learner, record)
        parts = DomainParts.of(model, corpus.domains)
        if own.select_best_on_dev and phases.no_better_on_dev(task, model):
            logger.info("%s: the meta-learner, which does as well on dev.", *corpus.domains)
            parts = parts.of_domains([]).of_domains(corpus.domains)
    return parts, history


class _Record:
    """Runs a training from its beginning; a killed one is not gone on with."""

    def __init__(self, checkpoint: Checkpoint):
        self._checkpoint = checkpoint

    def __call__(
        self, trainer: Trainer, title: str, texts: TrainingTexts, of: int | str | None = None
    ) -> History:
        self._checkpoint.discard()
        try:
            return trainer.run(title, texts, self._checkpoint)
        finally:
            self._checkpoint.discard()


def _score(run: Run, corpus: Corpus, tokens: TokenizedTexts, folder: Path) -> float | None:
    """Write the texts' typicalities against the others' centroids; return their mean."""
    known = len(run.folder.facts("validate")["labels"])
    # The run has centroids of the classes that it was trained on.
    rows = np.flatnonzero(corpus.codes("label") < known)
    if not (run.method.uses_typicality and run.folder.centroids.exists() and len(rows)):
        return None
    embedder = TextEmbedder(run.new_classifier())
    scores = scoring.scores_beside(
        run.folder.centroids, embedder, tokens, rows, known, run.config.mft
    )
    table = scoring.table(corpus, {"train": rows}, {"train": scores})
    files.write_parquet(folder / "typicality.parquet", table)
    return float(scores.mean())
