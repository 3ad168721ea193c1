"""Domains that come and go after a run, as small parts beside its meta-learner."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa

from easymft import files
from easymft.config.method import META_LEARNER
from easymft.data.batches.tokenized import TokenizedTexts, tokenize
from easymft.data.corpus.rows import to_name
from easymft.data.corpus.schema import Corpus
from easymft.data.corpus.splits import Splits
from easymft.data.sources.own_files import read_files
from easymft.errors import InputError, did_you_mean, listed
from easymft.fetch.cache import cache_dir
from easymft.methods import phases
from easymft.methods import typicality as scoring
from easymft.methods.checkpoint import Checkpoint, History
from easymft.methods.familiarity import familiar
from easymft.methods.trainer import Trainer, TrainingTexts
from easymft.models import TextEmbedder
from easymft.models.domain_parts import DomainParts
from easymft.runs.execution import at_work, run_stage
from easymft.runs.run import Run

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
        parts, name = _parts_of(run), _named(name)
        if name in parts.domains:
            message = f"is a domain of this run already ({name!r}); `--mode remove_domain` first"
            raise InputError(message, field="--name")
        corpus = _read(run, source, name)
        max_length = run.config.backbone.max_length
        tokens = tokenize(corpus, run.data.preprocessor, max_length, cache_dir() / "tokens")
        keras.utils.set_random_seed(run.config.seed)
        new, history = _trained(run, tokens, _splits(corpus), corpus)
        facts: dict[str, Any] = {"texts": len(corpus), "history": history}
        facts["mean_typicality"] = _score(run, corpus, tokens, _folder(run, name))
        run.keep_parts(parts.with_parts(new))
        if (known := run.familiarity()) is not None:
            backbone, rows = run.load(META_LEARNER).backbone, np.arange(len(corpus))
            added = familiar(backbone, tokens, rows, corpus.domains, len(corpus.labels))
            run.keep_familiarity(known.with_domains(added))
        files.write_json(_folder(run, name) / "facts.json", facts)
        return {**facts, **_exported(run)}


def remove_domain(run: Run, name: str) -> dict[str, Any]:
    """Take a domain's parts away, and export the rest; the meta-learner then answers for it.

    Returns:
        `models`, the export's newest versions.

    Raises:
        InputError: There is no such domain, or no other.
    """
    with at_work(run):
        parts, name = _parts_of(run), _named(name)
        if name not in parts.domains:
            message = f"must be a domain of this run ({listed(parts.domains)}). Received: {name!r}"
            message += did_you_mean(name, parts.domains)
            raise InputError(message, field="--name")
        if len(parts.domains) == 1:
            raise InputError(f"{name!r} is the only domain; it stays", field="--name")
        run.keep_parts(parts.without(name))
        if (known := run.familiarity()) is not None:
            run.keep_familiarity(known.of_domains([d for d in known.domains if d != name]))
        files.remove(_folder(run, name))
        return _exported(run)


def _parts_of(run: Run) -> DomainParts:
    if not run.has_parts:
        raise InputError(
            "the domains of this run have whole copies of the model, not small parts beside it; "
            'train with `fine_tune.parts` "lora", "bias" or "head"',
            field="--mode",
        )
    if not run.folder.is_done("fine_tune"):
        raise InputError("the run is not trained yet; run it first", field="--mode")
    return run.domain_parts()


def _named(name: str) -> str:
    plain = to_name(name)
    if plain is None or plain == META_LEARNER:
        raise InputError(f"must name a domain. Received: {name!r}", field="--name")
    return plain


def _read(run: Run, source: str, name: str) -> Corpus:
    """Return the texts, with the run's codes of classes."""
    given = {"source": "files", "files": {"all": source}, "format": "auto"}
    corpus = read_files(run.config.data.model_copy(update=given), domain=name)
    for note in corpus.notes:
        logger.info("%s", note)
    labels = tuple(run.folder.facts("validate")["labels"])
    codes = np.array([labels.index(x) if x in labels else -1 for x in corpus.labels])
    codes = codes[corpus.codes("label")]
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        label = corpus.labels[corpus.codes("label")[row]]
        raise InputError(
            f"must be a class of this run ({listed(labels)}). Received: {label!r}"
            f"{did_you_mean(label, labels)}",
            field="label",
            **corpus.place(row),
        )
    place = corpus.table.column_names.index("label")
    table = corpus.table.set_column(place, "label", pa.array(codes, pa.int32()))
    return Corpus(table, labels, corpus.domains, corpus.name, corpus.origin)


def _splits(corpus: Corpus) -> Splits:
    """Return the file's own split; without one all texts train."""
    rows, nothing = np.arange(len(corpus)), np.array([], int)
    splits = {"train": rows, "dev": nothing, "test": nothing, **(corpus.given_splits() or {})}
    if not len(splits["train"]):
        raise InputError("no text is for training", field="split")
    return splits


def _trained(
    run: Run, tokens: TokenizedTexts, splits: Splits, corpus: Corpus
) -> tuple[DomainParts, History]:
    """Train the parts as the run did, in batches with as many texts of a domain as it had."""
    own = run.config.fine_tune
    config = phases.for_new_domain(run.config, len(run.folder.facts("validate")["domains"]))
    task = phases.Task(
        *(config, run.method, tokens, splits, len(corpus.labels), corpus.domains),
        label_sets=_label_sets(run, corpus, splits),
    )
    with run.distribution.scope():
        record = _Record(Checkpoint(run.folder.checkpoint("added")))
        model, history = phases.fine_tune_parts(task, run.load(META_LEARNER), record)
        parts = DomainParts.of(model, corpus.domains)
        if own.select_best_on_dev and phases.no_better_on_dev(task, model):
            logger.info("%s: the meta-learner, which does as well on dev.", *corpus.domains)
            parts = parts.of_domains([]).of_domains(corpus.domains)
    return parts, history


def _label_sets(run: Run, corpus: Corpus, splits: Splits) -> list[list[int] | None] | None:
    """Return the classes of the new domain: those it is said to have, or those of its texts."""
    asked, (domain,) = run.config.data.label_sets, corpus.domains
    if asked == "found":
        return [np.unique(corpus.codes("label")[splits["train"]]).tolist()]
    named = (asked or {}).get(domain)
    return None if named is None else [sorted(map(corpus.labels.index, named))]


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
    if not (run.method.uses_typicality and run.folder.centroids.exists()):
        return None
    rows = np.arange(len(corpus))
    embedder = TextEmbedder(run.new_classifier())
    scores = scoring.scores_beside(
        run.folder.centroids, embedder, tokens, len(corpus.labels), run.config.mft
    )
    table = scoring.table(corpus, {"train": rows}, {"train": scores})
    files.write_parquet(folder / "typicality.parquet", table)
    return float(scores.mean())


def _exported(run: Run) -> dict[str, Any]:
    if keras.backend.backend() != "tensorflow":
        return {"models": []}
    run_stage(run, "export")
    return {"models": run.folder.facts("export")["models"]}


def _folder(run: Run, name: str) -> Path:
    # Names may differ only in what a file name cannot have.
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return run.folder.path / "added" / f"{files.slug(name)}-{digest}"
