"""Corpora and splits written down in a line."""

import numpy as np

from easymft.data.corpus.corpus_builder import CorpusBuilder


def corpus(texts, labels, domains, pairs=None, file=None):
    columns = {
        "id": [f"id{n}" for n in range(len(texts))],
        "text": texts,
        "label": list(labels),
        "domain": list(domains),
    }
    if pairs is not None:
        columns["text_pair"] = pairs
    if file is not None:
        columns |= {"file": [file] * len(texts), "line": list(range(2, len(texts) + 2))}
    builder = CorpusBuilder()
    builder.add(columns)
    return builder.finish(name="n", origin="o")


def cut(**splits):
    empty = {"train": [], "dev": [], "test": []}
    return {name: np.array(rows, int) for name, rows in {**empty, **splits}.items()}


def full(count=6):
    """Two domains, two classes, `count` texts in each cell, by cell in order."""
    cells = [(d, c) for d in "xy" for c in "ab"]
    texts = [f"{d} {c} number {n}" for d, c in cells for n in range(count)]
    return corpus(
        texts,
        [c for _, c in cells for _ in range(count)],
        [d for d, _ in cells for _ in range(count)],
    )
