"""Domain-class cells of a corpus and how numbers of texts are shared out among them."""

import hashlib
import json
from collections.abc import Iterator, Sequence

import numpy as np


class Cells:
    """The domain-class cells of a corpus, each with a random order of its own.

    A cell's order depends on the seed, the names of its domain and class and the ids of its
    texts: not on the order of the rows, nor on other cells.

    Args:
        labels: int array `(texts,)`.
        domains: int array `(texts,)`.
        ids: `(texts,)` unique ids.
        seed: Seed of all orders.
        domain_names: Names by domain code; the codes themselves when None.
        label_names: Names by label code; the codes themselves when None.
    """

    def __init__(
        self,
        labels: np.ndarray,
        domains: np.ndarray,
        ids: Sequence[str],
        seed: int,
        domain_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ):
        self.labels, self.domains = np.asarray(labels), np.asarray(domains)
        self.rows = np.arange(len(self.labels))
        self.domain_names, self.label_names = domain_names, label_names
        self._seed = int(seed)
        # Orders are drawn over sorted ids, so that rows may come in any order.
        self._rank = np.empty(len(self.rows), np.int64)
        self._rank[np.argsort(np.asarray(ids), kind="stable")] = self.rows

    def domain_name(self, domain: int) -> str:
        """Return the name that stands for a domain's code."""
        return str(domain if self.domain_names is None else self.domain_names[domain])

    def by_domain(self, rows: np.ndarray, purpose: str) -> Iterator[tuple[str, list[np.ndarray]]]:
        """Yield each domain's name with the shuffled rows of each of its classes.

        Args:
            rows: The rows to deal with.
            purpose: Names the use; another purpose gives another order.
        """
        rows = rows[np.lexsort((self._rank[rows], self.labels[rows], self.domains[rows]))]
        for domain_rows in _runs(rows, self.domains[rows]):
            name = self.domain_name(self.domains[domain_rows[0]])
            classes = _runs(domain_rows, self.labels[domain_rows])
            yield name, [self._shuffled(cell, name, purpose) for cell in classes]

    def _shuffled(self, cell: np.ndarray, domain: str, purpose: str) -> np.ndarray:
        label = self.labels[cell[0]]
        label = label if self.label_names is None else self.label_names[label]
        key = json.dumps([self._seed, purpose, domain, str(label)])
        digest = hashlib.sha256(key.encode()).digest()
        bits = np.random.PCG64(int.from_bytes(digest[:16], "little"))
        return np.random.Generator(bits).permutation(cell)


def apportion(total: int, sizes: np.ndarray) -> np.ndarray:
    """Share `total` texts out over cells in proportion to their sizes, by largest remainders.

    Args:
        total: Number of texts, at most the sum of `sizes`.
        sizes: int array `(cells,)`.

    Returns:
        int array `(cells,)` that sums to `total`. Of equal remainders the first cells get more.
    """
    counts, remainders = np.divmod(np.asarray(sizes, np.int64) * int(total), np.sum(sizes))
    counts[np.argsort(-remainders, kind="stable")[: total - counts.sum()]] += 1
    return counts


def joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenate row arrays; no array gives no row."""
    return np.concatenate(arrays) if len(arrays) else np.array([], np.int64)


def _runs(rows: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """Cut `rows` where `values` change."""
    return np.split(rows, np.flatnonzero(np.diff(values)) + 1) if len(rows) else []
