"""Texts that stand in a corpus more than once, or nearly so."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from easymft.errors import InputError
from easymft.progress import progress_bar

_SHINGLE = 3  # words
_PERMUTATIONS = 128
_MOST_IN_BUCKET = 50  # repetitions of one text that are compared pair by pair


def groups_of(texts: Sequence[str], threshold: float) -> np.ndarray:
    """Return a number a text, equal for texts that are the same or nearly so.

    Texts are the same whose runs of three words, case and punctuation aside, have a Jaccard
    similarity of `threshold` at least. MinHash finds candidates without comparing all pairs; each
    is then compared exactly.

    Args:
        texts: The texts.
        threshold: In [0, 1].

    Returns:
        int `(texts,)`, from 0 in the order of the texts.

    Raises:
        InputError: datasketch is not installed.

    Reference: Broder: On the resemblance and containment of documents, 1997.
    """
    shingles = [_shingles(text) for text in texts]
    pairs = np.array(list(_pairs(shingles, threshold)), int).reshape(-1, 2)
    shape = (len(texts), len(texts))
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=shape)
    return connected_components(graph, directed=False)[1]


def _pairs(shingles: Sequence[frozenset[str]], threshold: float) -> Iterator[tuple[int, int]]:
    # Texts that are the same in all their runs need no hash, and most repetitions are such.
    places: dict[frozenset[str], list[int]] = {}
    for place, own in enumerate(shingles):
        places.setdefault(own, []).append(place)
    for alike in places.values():
        yield from itertools.pairwise(alike)
    if threshold >= 1:
        return
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        message = 'needs datasketch; pip install "easymft[audit]"'
        raise InputError(message, field="--mode audit") from None
    # Candidates are cheap, and a repetition that is missed is not: weights of false alarm and miss.
    index = MinHashLSH(max(threshold - 0.1, 0.1), _PERMUTATIONS, weights=(0.1, 0.9))
    distinct = list(places.items())
    with progress_bar("comparing texts", len(distinct), unit="text") as bar:
        for number, (own, (place, *_)) in enumerate(distinct):
            sketch = MinHash(_PERMUTATIONS)
            sketch.update_batch([shingle.encode("utf-8", "replace") for shingle in own])
            for other in index.query(sketch)[:_MOST_IN_BUCKET]:
                others, (other_place, *_) = distinct[other]
                if len(own & others) >= threshold * len(own | others):
                    yield other_place, place
            index.insert(number, sketch)
            bar.update()


def _shingles(text: str) -> frozenset[str]:
    words = "".join(c if c.isalnum() else " " for c in text.casefold()).split()
    if len(words) < _SHINGLE:
        # Without words, such as "!!!", the text itself.
        return frozenset([" ".join(words) or text.strip()])
    runs = zip(*(words[start:] for start in range(_SHINGLE)), strict=False)
    return frozenset(map(" ".join, runs))
