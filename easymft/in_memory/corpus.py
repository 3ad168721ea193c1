"""Texts given as Python lists instead of files."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Sized

import numpy as np
import pyarrow.compute as pc
from keras_hub.models import TextClassifierPreprocessor

from easymft.data.batches.tokenized import TokenizedTexts, tokenize
from easymft.data.corpus.corpus_builder import MAX_DOMAINS, MAX_LABELS, CorpusBuilder
from easymft.data.corpus.intake import Intake
from easymft.data.corpus.rows import is_missing, row_faults, to_name
from easymft.data.corpus.schema import Corpus
from easymft.data.corpus.splits import Splits
from easymft.errors import InputError, Problems

# Every class has a weight vector, every domain a model of its own.
LIMITS = {"label": MAX_LABELS, "domain": MAX_DOMAINS}
FIELDS = {role: f"{role}s" for role in ("text", "text_pair", "label", "domain")}


def labelled(columns: Mapping[str, Sequence[object]], label_field: str = "labels") -> Corpus:
    """Return the corpus of texts to learn from.

    Args:
        columns: Lists by role: `text`, `label`, `domain`, and `text_pair` for pairs of texts.
        label_field: What errors call the labels.

    Raises:
        InputError: The lists differ in length, or a value cannot be used; names its place.
    """
    fields = {**FIELDS, "label": label_field}
    _check_lengths(columns, fields)
    for role, limit in LIMITS.items():
        if (count := len(set(map(to_name, columns[role])))) > limit:
            message = f"must have at most {limit:,} different values. Received: {count:,}"
            raise InputError(message, field=fields[role])
    intake = Intake(fields=fields)
    for row, cells in enumerate(zip(*columns.values(), strict=True)):
        intake.add(dict(zip(columns, cells, strict=True)), id=str(row), line=row)
    corpus = intake.finish(name="lists", origin="Python lists")
    if not corpus.is_pair and pc.count_distinct(corpus.table["text"]).as_py() < len(corpus.domains):
        message = "there are more domains than different texts; are the two in each other's place?"
        raise InputError(message, field=fields["domain"])
    return corpus


def unlabelled(columns: Mapping[str, Sequence[object]]) -> tuple[Corpus, list[str | None]]:
    """Return texts to answer, and their domains' names, None where one is missing.

    Any text has an answer, also one that is empty, holds NUL, or is too long to learn from: that
    of an exported model, which reads a text's beginning.

    Args:
        columns: Lists by role: `text`, perhaps `domain`, and `text_pair` for pairs of texts.

    Raises:
        InputError: The lists differ in length, a text is none, or a domain neither text nor number.
    """
    _check_lengths(columns, FIELDS)
    problems = Problems()
    for role, values in columns.items():
        for row, value in enumerate(values):
            if isinstance(value, str) or (role == "domain" and is_missing(value)):
                continue
            for _, fault in row_faults({role: value}):
                problems.add(fault, field=f"{FIELDS[role]}[{row}]")
    problems.raise_if_any()
    count = len(columns["text"])
    domains = columns.get("domain", [None] * count)
    texts = {
        # As exported models do with half a surrogate pair, and with NUL, at which some graphs stop.
        role: [str(text).encode("utf-8", "replace").decode().replace("\0", "") for text in values]
        for role, values in columns.items()
        if role != "domain"
    }
    nothing = ["0"] * count
    builder = CorpusBuilder()
    builder.add({"id": nothing, **texts, "label": nothing, "domain": nothing})
    return builder.finish(name="lists", origin="Python lists"), list(map(to_name, domains))


@contextlib.contextmanager
def tokenized(corpus: Corpus, preprocessor: TextClassifierPreprocessor) -> Iterator[TokenizedTexts]:
    """Yield the corpus's tokens while the block runs; nothing of them stays on disk.

    Args:
        corpus: The texts.
        preprocessor: See `easymft.models.load_preprocessor`.
    """
    with tempfile.TemporaryDirectory(prefix="easymft-") as folder:
        # The cache lives as long as this one preprocessor does: its name there says nothing.
        yield tokenize(corpus, preprocessor, preprocessor.sequence_length, folder, "in memory")


def all_train(texts: Sized) -> Splits:
    """Return splits of a corpus all of whose texts are for training."""
    none = np.array([], int)
    return {"train": np.arange(len(texts)), "dev": none, "test": none}


def _check_lengths(columns: Mapping[str, Sequence[object]], fields: Mapping[str, str]) -> None:
    count = len(columns["text"])
    for role, values in columns.items():
        if len(values) != count:
            raise InputError(
                f"must have one value for each of the {count} texts. Received: {len(values)}",
                field=fields[role],
            )
    if not count:
        raise InputError("must hold at least one text. Received: none", field=fields["text"])
