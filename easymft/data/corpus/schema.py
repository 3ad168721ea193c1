"""What a corpus is inside the program."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from easymft.data.corpus.parts import PARTS

COLUMN_TYPES = {
    "id": pa.string(),
    "text": pa.string(),
    "text_pair": pa.string(),
    "label": pa.int32(),
    "domain": pa.int32(),
    "split": pa.string(),
    "typicality": pa.float32(),
    "file": pa.dictionary(pa.int32(), pa.string()),
    "line": pa.int32(),
}
UNKNOWN = -1  # the label of a text that has none, as TFDS and scikit-learn write it
REQUIRED_COLUMNS = ("id", "text", "label", "domain")


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Labelled texts of several domains, as one Arrow table and two vocabularies.

    Args:
        table: One row a text. `id` (string, unique, stable), `text`, `text_pair` (pair corpora
            only), `label` and `domain` (int32 codes into the vocabularies; label
            `UNKNOWN`: none); where known also
            `split` (train, dev, test), `typicality` (float32, the user's own scores), and
            `file` and `line` (where the text stands, for error messages).
        labels: Class names; a class's code is its position.
        domains: Domain names; a domain's code is its position.
        name: Name of the corpus.
        origin: Where it was read, in one line.
        is_sample: Whether this is the bundled sample.
        notes: Counted facts to show the user, one line each.
        skipped: Rows of the source that were left out because they could not be used.

    Raises:
        ValueError: A column is missing, unknown or of another type, or a code has no name.
    """

    table: pa.Table
    labels: tuple[str, ...]
    domains: tuple[str, ...]
    name: str
    origin: str
    is_sample: bool = False
    notes: tuple[str, ...] = ()
    skipped: int = 0

    def __post_init__(self):
        missing = [name for name in REQUIRED_COLUMNS if name not in self.table.column_names]
        if missing:
            raise ValueError(f"`table` must hold {REQUIRED_COLUMNS}. Received: no {missing}")
        for field in self.table.schema:
            if field.type != COLUMN_TYPES.get(field.name):
                raise ValueError(
                    f"`table` columns must be of {COLUMN_TYPES}. Received: {field.name}:"
                    f" {field.type}"
                )
        for column, names in (("label", self.labels), ("domain", self.domains)):
            codes = self.codes(column)
            least = UNKNOWN if column == "label" else 0
            if codes.size and not (codes.min() >= least and codes.max() < len(names)):
                raise ValueError(
                    f"`{column}` codes must be in [{least}, {len(names)}). Received: codes from"
                    f" {codes.min()} to {codes.max()}"
                )

    def __len__(self) -> int:
        return self.table.num_rows

    @property
    def is_pair(self) -> bool:
        """Whether an example is a pair of texts."""
        return "text_pair" in self.table.column_names

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Names of the columns that hold a text, in order."""
        return ("text", "text_pair") if self.is_pair else ("text",)

    def codes(self, column: str) -> np.ndarray:
        """Return the `label` or `domain` column as int32 codes, `(rows,)`."""
        return self.table.column(column).to_numpy()

    def given_splits(self) -> dict[str, np.ndarray] | None:
        """Return row numbers by split as the corpus gives them; None where it gives none."""
        if "split" not in self.table.column_names:
            return None
        names = self.table.column("split").to_numpy()
        rows = {split: np.flatnonzero(names == split) for split in PARTS}
        return rows if any(map(len, rows.values())) else None

    def place(self, row: int) -> dict[str, object]:
        """Return `file` and `line` of a row, as arguments of `InputError`; `{}` if unknown."""
        if "file" not in self.table.column_names:
            return {}
        return {name: self.table.column(name)[row].as_py() for name in ("file", "line")}

    def take(self, rows: np.ndarray) -> "Corpus":
        """Return the corpus of these rows, in this order, with the same vocabularies."""
        return dataclasses.replace(self, table=self.table.take(pa.array(rows, pa.int64())))

    def with_notes(self, *notes: str) -> "Corpus":
        """Return the same corpus with further notes."""
        return dataclasses.replace(self, notes=(*self.notes, *notes))


def build_vocabulary(names: Iterable[str]) -> tuple[str, ...]:
    """Return distinct names in an order that does not depend on the order of the rows.

    Whole numbers sort as numbers, everything else as text; names are kept exactly
    (`"01"` and `"1"` are two).
    """
    distinct = set(names)
    if all(name.isascii() and name.isdigit() for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def limit_per_domain(corpus: Corpus, limit: int) -> Corpus:
    """Keep at most `limit` texts of each domain, spread evenly over its classes and splits.

    Within a class (and split) the texts kept are evenly spaced over the file, so the choice
    needs no seed and is not biased to the file's beginning.
    """
    labels, domains = corpus.codes("label"), corpus.codes("domain")
    splits = np.zeros(len(corpus), np.int32)
    for code, rows in enumerate((corpus.given_splits() or {}).values()):
        splits[rows] = code
    strata = splits * (len(corpus.labels) + 1) + labels - UNKNOWN
    kept = []
    for domain in range(len(corpus.domains)):
        rows = np.flatnonzero(domains == domain)
        # Texts in order of their relative position in their stratum: any prefix is stratified.
        position = np.empty(len(rows))
        for stratum in np.unique(strata[rows]):
            members = np.flatnonzero(strata[rows] == stratum)
            position[members] = _spread(len(members))
        kept.append(rows[np.argsort(position, kind="stable")[:limit]])
    rows = np.sort(np.concatenate(kept)) if kept else np.arange(0)
    if len(rows) == len(corpus):
        return corpus
    note = f"limited to {limit} texts per domain: {len(rows):,} of {len(corpus):,}"
    return corpus.take(rows).with_notes(note)


def _spread(count: int) -> np.ndarray:
    """Return distinct positions in [0, 1), the lowest of which are spread evenly over the rows."""
    # Multiples of the golden ratio modulo 1 are even for every threshold (three-gap theorem).
    visit = np.argsort(np.arange(count) * 0.6180339887498949 % 1.0, kind="stable")
    position = np.empty(count)
    position[visit] = (np.arange(count) + 0.5) / count
    return position
