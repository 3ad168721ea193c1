"""From batches of good rows to a `Corpus`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from easymft import preemption
from easymft.data.corpus.schema import COLUMN_TYPES, UNKNOWN, Corpus, build_vocabulary
from easymft.errors import InputError

# Every class has a weight vector, every domain a model of its own: more of them are a mistake, such
# as the column of ids.
MAX_LABELS = 1_000
MAX_DOMAINS = 1_000
# A corpus is kept in memory, several times over while it is checked; and an Arrow array of text
# ends at 2 GiB.
MAX_CORPUS_BYTES = 2_000_000_000
# Rows are gathered as Python objects up to either number.
BATCH_ROWS = 50_000
BATCH_CHARACTERS = 16_000_000

_OPTIONAL = ("split", "typicality", "line")


class CorpusBuilder:
    """Takes rows batch by batch and keeps them as Arrow arrays, never as Python objects.

    It checks nothing but how much there is; `easymft.data.corpus.intake` does, and calls it.
    """

    def __init__(self) -> None:
        self._batches: list[dict[str, pa.Array]] = []
        self._codes: dict[str, dict[str, int]] = {"label": {}, "domain": {}}
        self.rows = self._bytes = 0

    def add(self, columns: dict[str, Sequence[Any]]) -> None:
        """Append rows.

        Args:
            columns: Equally long sequences under the column names of `Corpus`, `label` and
                `domain` as names instead of codes (label None: it has none), `file` with `line` or
                neither. A column that only some batches have is null elsewhere.

        Raises:
            InputError: More classes, domains or text than a corpus may have.
        """
        preemption.check()
        batch = {name: pa.array(columns[name], pa.string()) for name in ("id", "text")}
        if "text_pair" in columns:
            batch["text_pair"] = pa.array(columns["text_pair"], pa.string())
        self._bytes += sum(array.nbytes for array in batch.values())
        if self._bytes > MAX_CORPUS_BYTES:
            raise InputError(
                f"more than {MAX_CORPUS_BYTES:,} bytes of text, which is more than is kept in"
                " memory; name fewer files",
                field="data.files",
                **_place(columns, 0),
            )
        for name, limit in (("label", MAX_LABELS), ("domain", MAX_DOMAINS)):
            batch[name] = self._encode(name, columns, limit)
        for name in _OPTIONAL:
            if name in columns:
                batch[name] = pa.array(columns[name], COLUMN_TYPES[name])
        if "file" in columns:
            batch["file"] = pa.array(columns["file"], pa.string()).dictionary_encode()
        self._batches.append(batch)
        self.rows += len(batch["id"])

    def finish(self, **facts: Any) -> Corpus:
        """Return the corpus; `facts` are the other fields of `Corpus` (name, origin, notes ...)."""
        vocabularies = {name: build_vocabulary(codes) for name, codes in self._codes.items()}
        present = {name for batch in self._batches for name in batch}
        columns = {
            name: self._column(name, vocabularies) for name in COLUMN_TYPES if name in present
        }
        if not columns:
            raise InputError("no texts found", field="data.source")
        return Corpus(
            table=pa.table(columns),
            labels=vocabularies["label"],
            domains=vocabularies["domain"],
            **facts,
        )

    def _encode(self, column: str, columns: dict[str, Sequence[Any]], limit: int) -> pa.Array:
        """Return codes in order of first appearance; `finish` renumbers them by vocabulary."""
        known = self._codes[column]
        encoded = pa.array(columns[column], pa.string()).dictionary_encode()
        codes = []
        absent = encoded.indices.is_null().to_numpy(zero_copy_only=False)
        positions = encoded.indices.fill_null(0).to_numpy()
        for position, name in enumerate(encoded.dictionary.to_pylist()):
            if name not in known:
                if len(known) == limit:
                    row = int(np.argmax(positions == position))
                    raise InputError(
                        f"more than {limit:,} different {column}s; is this the right column?"
                        f" Received: {name!r}, ...",
                        field=f"data.columns.{column}",
                        **_place(columns, row),
                    )
                known[name] = len(known)
            codes.append(known[name])
        found = np.asarray([*codes, UNKNOWN], np.int32)
        return pa.array(found[np.where(absent, len(codes), positions)], pa.int32())

    def _column(self, name: str, vocabularies: dict[str, tuple[str, ...]]) -> pa.ChunkedArray:
        if name in vocabularies:
            code = {text: position for position, text in enumerate(vocabularies[name])}
            # The last stands for a missing label, whose code -1 picks it.
            own = [code[text] for text in self._codes[name]]
            renumber = np.asarray([*own, UNKNOWN], np.int32)
            chunks = [pa.array(renumber[batch[name].to_numpy()]) for batch in self._batches]
            return pa.chunked_array(chunks, pa.int32())
        kind = COLUMN_TYPES[name]
        chunks = [
            batch[name] if name in batch else pa.nulls(len(batch["id"]), kind)
            for batch in self._batches
        ]
        # Every batch has a dictionary of its own; rows are taken across batches later.
        return pa.chunked_array(chunks, kind).unify_dictionaries()


def _place(columns: dict[str, Sequence[Any]], row: int) -> dict[str, Any]:
    return {key: columns[key][row] for key in ("file", "line") if key in columns}
