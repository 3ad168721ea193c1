"""Decisions of people on single texts, `data.corrections`: keep, relabel, drop."""

import collections
import dataclasses
import functools
import glob
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from easymft.data.corpus.checksum import checksum
from easymft.data.corpus.rows import is_missing, to_name
from easymft.data.corpus.schema import UNKNOWN, Corpus
from easymft.data.files.reader import format_of, read_file
from easymft.data.files.row_source import RowSource
from easymft.data.files.spreadsheet import unguarded
from easymft.errors import InputError, Problems, did_you_mean, shown

FIELD = "data.corrections"
_COLUMNS = ("id", "decision", "suggested_label", "checksum")
_DECISIONS = ("keep", "relabel", "drop")


@dataclasses.dataclass(frozen=True)
class Decision:
    """What somebody decided on a text.

    Attributes:
        kind: keep, relabel or drop.
        label: Its new label, for relabel.
        path: The file that says so.
    """

    kind: str
    label: str
    path: Path


def corrected(corpus: Corpus, pattern: str) -> Corpus:
    """Return the corpus with the decisions of a file, or of several.

    A text that had no label and gets one is a labelled text like any other. Notes say what was
    done, by which file.

    Args:
        corpus: As it was read.
        pattern: Path or glob of CSV, TSV, JSONL or Parquet with the columns `id`, `decision` and
            `suggested_label`, and `checksum` as `--mode audit` wrote it. Of two decisions on one
            text the later counts, the files in the order of their names.

    Raises:
        InputError: There is no such file, or it cannot be read.
        InputErrors: All decisions that cannot be followed.
    """
    decided = _decisions(corpus, pattern)
    labels = corpus.codes("label").copy()
    relabelled = [row for row, found in decided.items() if found.kind == "relabel"]
    dropped = [row for row, found in decided.items() if found.kind == "drop"]
    before = labels.copy()
    for row in relabelled:
        labels[row] = corpus.labels.index(decided[row].label)
    table = _with_column(corpus.table, "label", pa.array(labels))
    if "split" in table.column_names:
        bare = np.isin(np.arange(len(labels)), relabelled) & (before == UNKNOWN)
        given = table["split"].to_pylist()
        splits = [None if own else name for own, name in zip(bare, given, strict=True)]
        table = _with_column(table, "split", pa.array(splits, pa.string()))
    kept = np.setdiff1d(np.arange(len(labels)), dropped)
    whole = dataclasses.replace(corpus, table=table)
    return whole.take(kept).with_notes(*_notes(corpus, decided, before, pattern))


def kept_ids(corpus: Corpus, pattern: str) -> set[str]:
    """Return the ids of texts that somebody decided to keep as they are, or has relabelled.

    Args:
        corpus: With the corrections.
        pattern: See `corrected`.
    """
    decided = _decisions(corpus, pattern, but_dropped=True)
    ids = corpus.table["id"]
    return {ids[row].as_py() for row in decided}


def _decisions(corpus: Corpus, pattern: str, but_dropped: bool = False) -> dict[int, Decision]:
    """Return the decisions by row."""
    finder, problems, decided = _Finder(corpus), Problems(), {}
    for path in _files(pattern):
        source = RowSource(
            path=path,
            columns={name: name for name in _COLUMNS},
            fault=functools.partial(_fault, problems, path),
            problems=problems,
            optional=frozenset({"checksum"}),
        )
        for line, cells in read_file(source, format_of(path, FIELD)):
            values = {name: "" if is_missing(v) else v for name, v in cells.items()}
            kind = str(values["decision"]).strip().casefold()
            if not kind or (kind == "drop" and but_dropped):
                continue
            row, problem = None, _decision_fault(corpus, kind, values)
            if problem is None:
                row, problem = finder.row_of(values)
            if problem is not None:
                problems.add(problem[1], file=path, line=line, field=problem[0])
            elif row is not None:
                decided[row] = Decision(kind, _label(values), path)
    problems.raise_if_any()
    return decided


def _files(pattern: str) -> list[Path]:
    expanded = os.path.expanduser(pattern)
    if os.path.isfile(expanded):
        return [Path(expanded)]
    found = sorted(path for path in glob.glob(expanded, recursive=True) if os.path.isfile(path))
    if not found:
        raise InputError(f"no such file. Received: {shown(pattern)}", field=FIELD)
    return list(map(Path, found))


def _fault(problems: Problems, path: Path, message: str, line: int | None) -> None:
    problems.add(message, file=path, line=line)


def _decision_fault(corpus: Corpus, kind: str, values: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the field at fault and what is wrong with it; `None`: nothing."""
    if kind not in _DECISIONS:
        hint = did_you_mean(kind, _DECISIONS)
        known = f"must be {', '.join(_DECISIONS)} or empty"
        return "decision", f"{known}. Received: {shown(values['decision'])}{hint}"
    label = _label(values)
    if kind == "relabel" and label not in corpus.labels:
        message = "must be a class of the corpus, which the text then is of. Received: "
        return "suggested_label", f"{message}{shown(label)}{did_you_mean(label, corpus.labels)}"
    return None


def _label(values: Mapping[str, Any]) -> str:
    value = values["suggested_label"]
    return to_name(unguarded(value) if isinstance(value, str) else value) or ""


class _Finder:
    """Finds the rows of a corpus that decisions are about."""

    def __init__(self, corpus: Corpus):
        self._corpus = corpus
        self._rows = {id_: row for row, id_ in enumerate(corpus.table["id"].to_pylist())}

    def row_of(self, values: Mapping[str, Any]) -> tuple[int | None, tuple[str, str] | None]:
        """Return the row, or the field at fault and what is wrong with it.

        Spreadsheets make 7 of 007: where an id is not found, or is that of another text, the
        checksum tells.
        """
        raw, sum_ = values["id"], str(values.get("checksum") or "").strip()
        id_ = unguarded(raw.strip()) if isinstance(raw, str) else to_name(raw)
        row = self._rows.get(id_ or "", self._rows.get(to_name(id_) or ""))
        if row is not None and (not sum_ or self._sums[row] == sum_):
            return row, None
        same = self._by_sum.get(sum_, [])
        if len(same) == 1:
            return same[0], None
        if row is not None:
            message = "is another text now than the one decided on; make the audit anew"
        else:
            message = "is no text of the corpus"
        return None, ("id", f"{message}. Received: {shown(raw)}")

    @functools.cached_property
    def _sums(self) -> list[str]:
        columns = (self._corpus.table[name].to_pylist() for name in self._corpus.text_columns)
        return [checksum(texts) for texts in zip(*columns, strict=True)]

    @functools.cached_property
    def _by_sum(self) -> dict[str, list[int]]:
        found = collections.defaultdict(list)
        for row, own in enumerate(self._sums):
            found[own].append(row)
        return found


def _with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _notes(
    corpus: Corpus, decided: Mapping[int, Decision], before: np.ndarray, pattern: str
) -> list[str]:
    """Return a note on each file: what it was, and what was done by it."""
    notes = []
    for path in _files(pattern):
        own = {row: found for row, found in decided.items() if found.path == path}
        kinds = collections.Counter(found.kind for found in own.values())
        changes = collections.Counter(
            f"{'none' if before[row] == UNKNOWN else corpus.labels[before[row]]} to {found.label}"
            for row, found in own.items()
            if found.kind == "relabel"
        )
        shown_changes = ", ".join(f"{count} {change}" for change, count in changes.most_common(6))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        notes.append(
            f"corrections of {path} (SHA-256 {digest}): {kinds['relabel']:,} labels replaced"
            + (f" ({shown_changes})" if changes else "")
            + f", {kinds['drop']:,} texts left out, {kinds['keep']:,} kept as they were"
        )
    return notes
