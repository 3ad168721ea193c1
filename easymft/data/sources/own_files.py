"""A user's own files as a corpus: CSV, TSV, JSONL, Parquet, gzip, globs, folders of texts.

Labels and domains are kept exactly as they stand ("01" is not "1"). Every row that cannot be
used is reported with file and line, all of them in one pass.
"""

import os
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from easymft.data.corpus import validation
from easymft.data.corpus.corpus_builder import BATCH_CHARACTERS, BATCH_ROWS, CorpusBuilder
from easymft.data.corpus.schema import Corpus
from easymft.data.files.columns import SPLIT_NAMES, row_faults, to_name, to_weight
from easymft.data.files.file_search import DataFile, find_files
from easymft.data.files.reader import read_file
from easymft.data.files.row_source import RowSource, Tally
from easymft.errors import InputError, Problems

NAME = "files"


def read_files(data: Any) -> Corpus:
    """Read the files that the recipe's `data` section names.

    Args:
        data: `easymft.config.DataConfig` (or an object with the same attributes).

    Returns:
        The corpus; its `split` column comes from the key a file stands under (train, dev, test)
        or from `data.columns.split`.

    Raises:
        InputError: A file is missing or cannot be read, or lacks a column.
        InputErrors: All rows that cannot be used, with what else is wrong with the splits.
    """
    files = find_files(data)
    intake = _Intake(data, [file.path for file in files])
    for file in files:
        intake.read(file)
    return intake.finish()


class _Intake:
    """Reads files one after another into one corpus and collects what is wrong."""

    def __init__(self, data: Any, paths: list[Path]):
        self._data = data
        self._paths = paths
        self._root = Path(os.path.commonpath([path.absolute().parent for path in paths]))
        self._builder = CorpusBuilder()
        self._problems = Problems()
        self._bad_rows = Problems()
        self._notes: Counter[str] = Counter()
        self._tally = Tally()
        self._batch: dict[str, list[Any]] = {}
        self._batch_characters = 0

    def read(self, file: DataFile) -> None:
        """Append the rows of one file."""
        path, split = file.path, file.split
        source = RowSource(
            path=path,
            columns=_wanted_columns(self._data.columns, split),
            encoding=self._data.encoding,
            delimiter=self._data.delimiter,
            problems=self._problems,
            fault=lambda message, line: self._bad_rows.add(message, file=path, line=line),
            note=lambda note: self._notes.update([note]),
            tally=self._tally,
        )
        place = self._name(file)
        for line, row in read_file(source, file.form):
            if faults := row_faults(row):
                self._refuse(source, line, row, faults)
                continue
            name = place if file.form == "folder" else f"{place}:{line}"
            self._append({"id": name, "file": str(path), "line": line, **_finished(row, split)})

    def _refuse(self, source: RowSource, line: int, row: dict, faults: list) -> None:
        """Count what is wrong with a row; one that says nothing at all is one fault."""
        if all(value is None or str(value).isspace() or value == "" for value in row.values()):
            names = ", ".join(source.columns.values())
            message = f"holds nothing in any of the columns {names}"
            self._bad_rows.add(message, file=source.path, line=line)
            return
        for role, fault in faults:
            field = source.columns.get(role, role)
            self._bad_rows.add(fault, file=source.path, line=line, field=field)

    def _append(self, row: dict[str, Any]) -> None:
        if self._batch and (
            len(self._batch["id"]) == BATCH_ROWS
            or self._batch_characters > BATCH_CHARACTERS
            or self._batch.keys() != row.keys()
        ):
            self._flush()
        self._batch_characters += len(row["text"]) + len(row.get("text_pair", ""))
        for name, value in row.items():
            self._batch.setdefault(name, []).append(value)

    def _flush(self) -> None:
        if self._batch:
            self._builder.add(self._batch)
            self._batch, self._batch_characters = {}, 0

    def _name(self, file: DataFile) -> str:
        """Return what the ids of a file's texts begin with where the user gives none."""
        if file.form == "folder":
            return "/".join([*filter(None, [file.split]), *file.path.parts[-3:]])
        return file.path.absolute().relative_to(self._root).as_posix()

    def finish(self) -> Corpus:
        """Return the corpus, or raise every problem found."""
        self._flush()
        if self._data.on_bad_row == "error":
            self._problems.extend(self._bad_rows)
        self._check_names()
        if not self._builder.rows:
            self._problems.raise_if_any()
            message = "no usable row; the header alone makes no corpus"
            if self._bad_rows.count:
                message = f"no usable row; first fault: {self._bad_rows.shown[0]}"
            raise InputError(message, file=self._paths[0], field="data.files")
        files = sorted({str(pattern) for pattern in self._data.files.values()})
        notes = [f"{count} x {note}" if count > 1 else note for note, count in self._notes.items()]
        notes += self._tally.notes()
        if self._bad_rows.count and self._data.on_bad_row == "skip":
            first = self._bad_rows.shown[0]
            notes.append(
                f"{self._bad_rows.count:,} faults in rows that were skipped; first: {first}"
            )
        corpus = self._builder.finish(name=NAME, origin=", ".join(files), notes=tuple(notes))
        if self._data.columns.id is not None:
            self._check_ids(corpus)
        if self._problems.count:
            # The user sees in one go what validation would say next.
            if splits := corpus.given_splits():
                self._problems.extend(validation.check(corpus, splits).problems)
            self._problems.raise_if_any()
        return corpus

    def _check_names(self) -> None:
        """Report labels (domains) that differ by what nobody sees or means: they are mistyped."""
        for column in ("label", "domain"):
            seen: dict[str, str] = {}
            for name, place in self._builder.first_places(column).items():
                looks = unicodedata.normalize("NFC", name.strip().casefold())
                other = seen.setdefault(looks, name)
                if other != name:
                    self._problems.add(
                        f"{column} {name!r} differs from {other!r} by case or space only (or in how"
                        " its accents are stored); write one of them throughout",
                        field=getattr(self._data.columns, column),
                        **place,
                    )

    def _check_ids(self, corpus: Corpus) -> None:
        counts = pc.value_counts(corpus.table["id"].combine_chunks())
        repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
        rows = pc.indices_nonzero(pc.is_in(corpus.table["id"], value_set=repeated))
        first: dict[str, int] = {}
        for row in rows.to_pylist():
            name = corpus.table["id"][row].as_py()
            if first.setdefault(name, row) != row:
                place = corpus.place(first[name])
                self._problems.add(
                    f"id {name!r} stands already at {place['file']}:{place['line']}",
                    field=self._data.columns.id,
                    **corpus.place(row),
                )


def _finished(row: dict[str, Any], split: str | None) -> dict[str, Any]:
    """Return what a faultless row says, under the column names of `Corpus`."""
    finished = {
        "text": row["text"],
        "label": to_name(row["label"]),
        "domain": to_name(row["domain"]),
    }
    if "id" in row:
        finished["id"] = to_name(row["id"])
    if "text_pair" in row:
        finished["text_pair"] = row["text_pair"]
    if "split" in row:
        finished["split"] = SPLIT_NAMES[to_name(row["split"])]
    elif split is not None:
        finished["split"] = split
    if "weight" in row:
        finished["typicality"] = to_weight(row["weight"])
    return finished


def _wanted_columns(columns: Any, split: str | None) -> dict[str, str]:
    """Return the column name by role for a file; a dev or test text needs no weight."""
    wanted = {
        role: getattr(columns, role)
        for role in ("text", "text_pair", "label", "domain", "id", "split", "weight")
    }
    if split in ("dev", "test"):
        wanted["weight"] = None
    return {role: name for role, name in wanted.items() if name is not None}
