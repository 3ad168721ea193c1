"""Names in a corpus that cannot all be meant: one label written in two ways, one id twice."""

import re
import unicodedata
from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from easymft.data.corpus.schema import UNKNOWN, Corpus

_TRAILING_ZEROS = re.compile(r"(-?[0-9]+)(?:\.0+|(\.[0-9]*[1-9])0+)")


def mistyped_names(corpus: Corpus, column: str) -> Iterator[tuple[int, str]]:
    """Yield the first row of every label, or domain, that looks like an earlier one.

    Args:
        corpus: The corpus.
        column: `label` or `domain`.

    Yields:
        The row, and what is wrong with it.
    """
    names = {"label": corpus.labels, "domain": corpus.domains}[column]
    codes, rows = np.unique(corpus.codes(column), return_index=True)
    seen: dict[str, str] = {}
    for place in np.argsort(rows):
        if codes[place] == UNKNOWN:
            continue
        name = names[codes[place]]
        other = seen.setdefault(looks(name), name)
        if other != name:
            yield (
                int(rows[place]),
                f"{column} {name!r} differs from {other!r} by case, space or trailing zeros only;"
                " write one of them throughout",
            )


def repeated_ids(corpus: Corpus) -> Iterator[tuple[int, str]]:
    """Yield every row whose id an earlier row has, and what is wrong with it."""
    ids = corpus.table["id"].combine_chunks()
    if pc.count_distinct(ids).as_py() == len(ids):
        return
    first: dict[str, int] = {}
    for row, name in enumerate(ids.to_pylist()):
        if first.setdefault(name, row) != row:
            place = corpus.place(first[name])
            where = f"already at {place['file']}:{place['line']}" if place else "twice"
            yield row, f"id {name!r} stands {where}"


def looks(name: str) -> str:
    """Return what a name has in common with those that can only be the same one, mistyped."""
    folded = unicodedata.normalize("NFC", " ".join(name.casefold().split()))
    number = _TRAILING_ZEROS.fullmatch(folded)
    return folded if number is None else number[1] + (number[2] or "")
