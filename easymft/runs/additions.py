"""What adding to a finished run has in common: domains, and classes, as parts beside its models."""

import hashlib
import logging
from collections.abc import Sequence
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
from easymft.models.domain_parts import DomainParts
from easymft.runs.execution import run_stage
from easymft.runs.run import Run

logger = logging.getLogger(__name__)

_AT_FAULT = "data.files.all"  # what a recipe would call `--input`


def parts_of(run: Run) -> DomainParts:
    """Return a finished run's parts.

    Raises:
        InputError: It has none, or is not trained yet.
    """
    if not run.has_parts:
        raise InputError(
            "the domains of this run have whole copies of the model, not small parts beside it; "
            'train with `fine_tune.parts` "lora", "bias" or "head"',
            field="--mode",
        )
    if not run.folder.is_done("fine_tune"):
        raise InputError("the run is not trained yet; run it first", field="--mode")
    return run.domain_parts()


def named(name: str, kind: str) -> str:
    """Return a name as files and exports have it.

    Args:
        name: As the user gives it.
        kind: Of what: domain or class.

    Raises:
        InputError: It names nothing.
    """
    plain = to_name(name)
    if plain is None or (kind == "domain" and plain == META_LEARNER):
        raise InputError(f"must name a {kind}. Received: {name!r}", field="--name")
    return plain


def read_texts(
    run: Run, source: str, labels: Sequence[str], domain: str | None = None
) -> tuple[Corpus, TokenizedTexts]:
    """Return labelled texts, with the codes of classes that the run's models have.

    Args:
        run: Whose recipe names the columns.
        source: File or glob.
        labels: The classes that there may be.
        domain: The only domain there may be; its column may then be missing, too.

    Raises:
        InputError: The file cannot be used, or a text is of another class.
    """
    given = {"source": "files", "files": {"all": source}, "format": "auto"}
    try:
        corpus = read_files(run.config.data.model_copy(update=given), later=True, domain=domain)
    except InputError as error:
        if error.field != _AT_FAULT:
            raise
        raise InputError(str(error).partition(f"`{_AT_FAULT}`: ")[2], field="--input") from None
    for note in corpus.notes:
        logger.info("%s", note)
    codes = np.array([labels.index(x) if x in labels else -1 for x in corpus.labels])
    codes = codes[corpus.codes("label")]
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        label = corpus.labels[corpus.codes("label")[row]]
        raise InputError(
            f"must be a class of this run ({listed(labels)}); `--mode add_class` teaches it "
            f"another. Received: {label!r}{did_you_mean(label, labels)}",
            field="label",
            **corpus.place(row),
        )
    place = corpus.table.column_names.index("label")
    table = corpus.table.set_column(place, "label", pa.array(codes, pa.int32()))
    corpus = Corpus(table, tuple(labels), corpus.domains, corpus.name, corpus.origin)
    max_length = run.config.backbone.max_length
    tokens = tokenize(corpus, run.data.preprocessor, max_length, cache_dir() / "tokens")
    keras.utils.set_random_seed(run.config.seed)
    return corpus, tokens


def splits_of(corpus: Corpus) -> Splits:
    """Return the file's own split; without one all texts train."""
    rows, nothing = np.arange(len(corpus)), np.array([], int)
    splits = {"train": rows, "dev": nothing, "test": nothing, **(corpus.given_splits() or {})}
    if not len(splits["train"]):
        raise InputError("no text is for training", field="split")
    return splits


def exported(run: Run) -> list[str]:
    """Export the run anew; return the newest versions, none on other backends than TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return []
    run_stage(run, "export")
    return run.folder.facts("export")["models"]


def keep_facts(run: Run, name: str, facts: dict[str, Any], kind: str = "domain") -> None:
    """Write down what was added by this name."""
    files.write_json(folder_of(run, name, kind) / "facts.json", facts)


def folder_of(run: Run, name: str, kind: str = "domain") -> Path:
    """Return where it is kept what was added by this name."""
    # Names may differ only in what a file name cannot have; a domain and a class in nothing.
    prefix = "" if kind == "domain" else f"{kind} "
    digest = hashlib.sha256(f"{prefix}\n{name}".lstrip("\n").encode()).hexdigest()[:8]
    return run.folder.path / "added" / f"{files.slug(prefix + name)}-{digest}"
