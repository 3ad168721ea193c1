"""Texts given as Python lists instead of files."""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sized
from typing import Any

import numpy as np

from easymft.data.batches.tokenized import TokenizedTexts, tokenize
from easymft.data.corpus.corpus_builder import CorpusBuilder
from easymft.data.corpus.rows import row_faults, to_name
from easymft.data.corpus.schema import Corpus
from easymft.data.corpus.splits import Splits
from easymft.errors import InputError, Problems


def corpus_of(
    texts: Iterable[str],
    labels: Iterable[Any],
    domains: Iterable[Any],
    text_pairs: Iterable[str] | None = None,
) -> Corpus:
    """A corpus of equally long lists (or arrays, or columns of a data frame).

    Args:
        texts: The texts, or the first of each pair.
        labels: Classes: strings or numbers.
        domains: Domains: strings or numbers.
        text_pairs: The second text of each pair.

    Raises:
        InputError: The lists differ in length, or a value cannot be used; names its place.
    """
    given = {"text": texts, "label": labels, "domain": domains}
    if text_pairs is not None:
        given["text_pair"] = text_pairs
    columns = {role: _values(f"{role}s", values) for role, values in given.items()}
    count = len(columns["text"])
    for role, values in columns.items():
        if len(values) != count:
            raise InputError(
                f"must have one value for each of the {count} texts. Received: {len(values)}",
                field=f"{role}s",
            )
    if not count:
        raise InputError("must hold at least one text. Received: none", field="texts")
    problems = Problems()
    for row, cells in enumerate(zip(*columns.values(), strict=True)):
        for role, fault in row_faults(dict(zip(columns, cells, strict=True))):
            problems.add(fault, field=f"{role}s[{row}]")
    problems.raise_if_any()
    for role in ("label", "domain"):
        columns[role] = list(map(to_name, columns[role]))
    builder = CorpusBuilder()
    builder.add({"id": list(map(str, range(count))), **columns})
    return builder.finish(name="lists", origin="Python lists")


@contextlib.contextmanager
def tokenized(corpus: Corpus, preprocessor: Any) -> Iterator[TokenizedTexts]:
    """The corpus's tokens while the block runs; nothing of them stays on disk.

    Args:
        corpus: The texts.
        preprocessor: See `easymft.models.load_preprocessor`.
    """
    with tempfile.TemporaryDirectory(prefix="easymft-") as folder:
        # The cache lives as long as this one preprocessor does: its name there says nothing.
        yield tokenize(corpus, preprocessor, preprocessor.sequence_length, folder, "in memory")


def all_train(texts: Sized) -> Splits:
    """Splits of a corpus all of whose texts are for training."""
    none = np.array([], int)
    return {"train": np.arange(len(texts)), "dev": none, "test": none}


def _values(name: str, values: Iterable[Any]) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(
            f"must be a list, one value for each text. Received: a {type(values).__name__}",
            field=name,
        )
    return list(values)
