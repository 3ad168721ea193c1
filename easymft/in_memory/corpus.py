"""Texts to learn from, given as Python lists instead of files."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow.compute as pc

from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.corpus_builder import MAX_DOMAINS, MAX_LABELS
from easymft.data.corpus.intake import Intake
from easymft.data.corpus.lists import FIELDS, check_lengths
from easymft.data.corpus.parts import UNLABELED
from easymft.data.corpus.rows import to_name
from easymft.data.corpus.schema import UNKNOWN, Corpus
from easymft.data.corpus.splits import Splits
from easymft.errors import InputError

# Every class has a weight vector, every domain a model of its own.
LIMITS = {"label": MAX_LABELS, "domain": MAX_DOMAINS}


def labelled(
    columns: Mapping[str, Sequence[object]], label_field: str = "labels", gaps: bool = False
) -> Corpus:
    """Return the corpus of texts to learn from.

    Args:
        columns: Lists by role: `text`, `label`, `domain`, and `text_pair` for pairs of texts.
        label_field: What errors call the labels.
        gaps: Whether None stands for a text without a label; else that is an error.

    Raises:
        InputError: The lists differ in length, or a value cannot be used; names its place.
    """
    fields = {**FIELDS, "label": label_field}
    check_lengths(columns, fields)
    for role, limit in LIMITS.items():
        if (count := len(set(map(to_name, columns[role])) - {None})) > limit:
            message = f"must have at most {limit:,} different values. Received: {count:,}"
            raise InputError(message, field=fields[role])
    intake = Intake(fields=fields)
    for row, cells in enumerate(zip(*columns.values(), strict=True)):
        values = dict(zip(columns, cells, strict=True))
        split = UNLABELED if gaps and values["label"] is None else None
        intake.add(values, id=str(row), line=row, split=split)
    corpus = intake.finish(name="lists", origin="Python lists")
    if not corpus.is_pair and pc.count_distinct(corpus.table["text"]).as_py() < len(corpus.domains):
        message = "there are more domains than different texts; are the two in each other's place?"
        raise InputError(message, field=fields["domain"])
    return corpus


def all_train(tokens: TokenizedTexts) -> Splits:
    """Return splits of texts that are all for training, those without labels too."""
    none, labels = np.array([], int), np.asarray(tokens.labels)
    splits = {"train": np.flatnonzero(labels != UNKNOWN), "dev": none, "test": none}
    bare = np.flatnonzero(labels == UNKNOWN)
    return {**splits, UNLABELED: bare} if len(bare) else splits
