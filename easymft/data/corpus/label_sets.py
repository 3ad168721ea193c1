"""Which classes each domain of a corpus has, where not every domain has all of them."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from easymft.data.corpus.schema import UNKNOWN, Corpus
from easymft.errors import InputError, did_you_mean

Asked = Mapping[str, Sequence[str]] | Literal["found"] | None
"""As of `data.label_sets` in recipes."""

Found = list[list[int] | None]
"""Codes of classes for each domain; `None`: all."""


def label_sets(
    asked: Asked, corpus: Corpus, rows: np.ndarray, field: str = "data.label_sets"
) -> Found | None:
    """Return the classes of each domain; `None` where all have all.

    Args:
        asked: What a user says of it.
        corpus: Labelled texts.
        rows: Int `(n,)`, its training texts, by which classes are found.
        field: What errors call `asked`.

    Raises:
        InputError: It names a domain or class that the corpus does not have, or a text is not of
            the classes that its domain is said to have.
    """
    if asked is None:
        return None
    labels, domains = corpus.codes("label"), corpus.codes("domain")
    if asked == "found":
        sets = [np.unique(labels[rows[domains[rows] == k]]) for k in range(len(corpus.domains))]
        return [own.tolist() or None for own in sets]
    for name, own in asked.items():
        for found, known in ((name, corpus.domains), *((x, corpus.labels) for x in own)):
            if found not in known:
                message = f"names {found!r}, which the corpus does not have"
                raise InputError(f"{message}{did_you_mean(found, known)}", field=field)
    allowed = np.ones((len(corpus.domains), len(corpus.labels)), bool)
    for name, own in asked.items():
        allowed[corpus.domains.index(name)] = np.isin(corpus.labels, own)
    outside = np.flatnonzero(~allowed[domains, labels] & (labels != UNKNOWN))
    if len(outside):
        row = int(outside[0])
        domain, label = corpus.domains[domains[row]], corpus.labels[labels[row]]
        message = f"says that domain {domain!r} does not have the class of this text, {label!r}"
        raise InputError(message, **{"field": field, **corpus.place(row)})
    named = zip(corpus.domains, allowed, strict=True)
    return [np.flatnonzero(row).tolist() if name in asked else None for name, row in named]


def of_new_domain(
    asked: Asked, corpus: Corpus, rows: np.ndarray, field: str = "data.label_sets"
) -> Found | None:
    """Return the classes of the only domain of a corpus that comes later; see `label_sets`."""
    if isinstance(asked, Mapping):
        asked = {name: own for name, own in asked.items() if name in corpus.domains}
    return label_sets(asked, corpus, rows, field)
