"""The one way in: rows of raw values, whatever their source, are checked and become a corpus."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from easymft.data.corpus import validation
from easymft.data.corpus.corpus_builder import BATCH_CHARACTERS, BATCH_ROWS, CorpusBuilder
from easymft.data.corpus.names import mistyped_names, repeated_ids
from easymft.data.corpus.parts import UNLABELED
from easymft.data.corpus.rows import SPLIT_NAMES, is_missing, row_faults, to_name, to_weight
from easymft.data.corpus.schema import UNKNOWN, Corpus
from easymft.errors import InputError, Problems, listed

OnBadRow = Literal["error", "skip"]


class Intake:
    """Checks rows of any source and keeps those that are good as a corpus.

    What makes a row bad, and how its label and domain are named, stands in
    `easymft.data.corpus.rows`.

    Args:
        on_bad_row: `"error"`: `finish` raises what is wrong with rows. `"skip"`: it leaves these
            rows out, counts them, and says what was wrong with the first.
        fields: The user's names of the roles, for messages.
        source: File and field to name where there is no row at all, as of `InputError`.

    Attributes:
        problems: Takes what is wrong with whole files, which `finish` raises in any case.

    Example:
    ```python
    intake = Intake(fields={"label": "stars"})
    intake.add({"text": "fine", "label": 5, "domain": "books"}, id="1", file="a.csv", line=2)
    corpus = intake.finish(name="reviews", origin="a.csv")
    ```
    """

    def __init__(
        self,
        on_bad_row: OnBadRow = "error",
        fields: Mapping[str, str] | None = None,
        source: Mapping[str, Any] | None = None,
    ):
        self.problems = Problems()
        self._fields = fields or {}
        self._source = source or {"field": "data.source"}
        self._skips = on_bad_row == "skip"
        self._faults = Problems() if self._skips else self.problems
        self._skipped = 0
        self._builder = CorpusBuilder()
        self._batch: dict[str, list[Any]] = {}
        self._batch_characters = 0

    def add(
        self,
        row: dict[str, Any],
        *,
        id: str | None = None,
        file: str | None = None,
        line: int | None = None,
        split: str | None = None,
    ) -> None:
        """Take a row; that of a text without label, of split `unlabeled`, needs none.

        Args:
            row: Raw values by role: `text`, `label`, `domain`, and if there `text_pair`, `id`,
                `split` and `weight`. A development or test text needs no weight.
            id: Its name, where the row has no `id`.
            file: Where it stands, for messages.
            line: Line or row in the file; without a file, position in the user's lists.
            split: Its split where the row has no `split`.

        Raises:
            InputError: More classes, domains or text than a corpus may have.
        """
        checked = row
        if "weight" in row and is_missing(row["weight"]) and _split(row, split) in ("dev", "test"):
            checked = {role: value for role, value in row.items() if role != "weight"}
        if _split(row, split) == UNLABELED:
            checked = {k: v for k, v in row.items() if k not in ("label", "weight")}
        if self.check(checked, file=file, line=line):
            place = {} if file is None else {"file": file, "line": line}
            self._append({"id": id, **_finished(row, split), **place})

    def check(self, row: dict[str, Any], *, file: str | None, line: int | None) -> bool:
        """Return whether a row is good; remember what is wrong with it if it is not."""
        faults = row_faults(row)
        if not faults:
            return True
        self._skipped += self._skips
        if all(map(is_missing, row.values())):
            names = listed(self._fields.get(role, role) for role in row)
            message = f"holds nothing in any of the columns {names}"
            self._faults.add(message, **self._place(None, file, line))
        else:
            for role, fault in faults:
                self._faults.add(fault, **self._place(role, file, line))
        return False

    def refuse(
        self, message: str, *, file: object, line: int | None, field: str | None = None
    ) -> None:
        """Count a row that its reader could not even take apart."""
        self._skipped += self._skips
        self._faults.add(message, file=file, line=line, field=field)

    def finish(self, name: str, origin: str, notes: Iterable[str] = (), **facts: Any) -> Corpus:
        """Return the corpus.

        Args:
            name: Name of the corpus.
            origin: Where it was read, in one line.
            notes: Facts to show the user.
            **facts: Further fields of `Corpus`.

        Raises:
            InputError: There is no good row.
            InputErrors: Everything that is wrong, in one go.
        """
        self._flush()
        if not self._builder.rows:
            self.problems.raise_if_any()
            why = "the header alone makes no corpus"
            if self._faults.count:
                why = f"first fault: {self._faults.shown[0]}"
            raise InputError(f"no usable row; {why}", **self._source)
        notes = list(notes)
        if self._skipped:
            notes.append(
                f"{self._faults.count:,} faults in rows that were skipped; first:"
                f" {self._faults.shown[0]}"
            )
        return self.sound(
            self._builder.finish(
                name=name, origin=origin, notes=tuple(notes), skipped=self._skipped, **facts
            )
        )

    def sound(self, corpus: Corpus) -> Corpus:
        """Return the corpus of the rows seen, or raise all that is wrong with it.

        Raises:
            InputErrors: Everything that is wrong, in one go.
        """
        for column in ("label", "domain"):
            for row, message in mistyped_names(corpus, column):
                self._add(message, column, corpus, row)
        for row, message in repeated_ids(corpus):
            self._add(message, "id", corpus, row)
        if self.problems.count:
            # The user sees in one go what validation would say next.
            if splits := corpus.given_splits():
                self.problems.extend(validation.check(corpus, splits).problems)
            self.problems.raise_if_any()
        return corpus

    def _add(self, message: str, role: str, corpus: Corpus, row: int) -> None:
        self.problems.add(message, field=self._fields.get(role, role), **corpus.place(row))

    def _place(self, role: str | None, file: str | None, line: int | None) -> dict[str, Any]:
        field = None if role is None else self._fields.get(role, role)
        if file is None and line is not None:
            return {"field": f"{field or 'row'}[{line}]"}
        return {"file": file, "line": line, "field": field}

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


def checked(corpus: Corpus, file: str) -> Corpus:
    """Return a corpus from elsewhere, its names as ours are, once its rows passed all checks.

    Args:
        corpus: The corpus.
        file: The file that it stands in.

    Raises:
        InputErrors: Everything that is wrong.
    """
    intake, line = Intake(), 0
    roles = [role for role in ("id", "text", "text_pair") if role in corpus.table.column_names]
    for batch in corpus.table.to_batches(BATCH_ROWS):
        codes = (batch[column].to_pylist() for column in ("label", "domain"))
        cells = (batch[role].to_pylist() for role in roles)
        for label, domain, *texts in zip(*codes, *cells, strict=True):
            line += 1
            row = {"domain": corpus.domains[domain]}
            if label != UNKNOWN:
                row["label"] = corpus.labels[label]
            intake.check({**row, **dict(zip(roles, texts, strict=True))}, file=file, line=line)
    return intake.sound(
        dataclasses.replace(
            corpus,
            labels=tuple(to_name(name) or name for name in corpus.labels),
            domains=tuple(to_name(name) or name for name in corpus.domains),
        )
    )


def _split(row: dict[str, Any], default: str | None) -> str | None:
    """Return train, dev or test as the row says it, else the default; None for no split."""
    return SPLIT_NAMES.get(to_name(row["split"]) or "") if "split" in row else default


def _finished(row: dict[str, Any], split: str | None) -> dict[str, Any]:
    """Return what a good row says, under the column names of `Corpus`."""
    finished = {
        "text": row["text"],
        "label": None,
        "domain": to_name(row["domain"]),
    }
    if "id" in row:
        finished["id"] = to_name(row["id"])
    if "text_pair" in row:
        finished["text_pair"] = row["text_pair"]
    if (split := _split(row, split)) is not None:
        finished["split"] = split
    if split != UNLABELED:
        finished["label"] = to_name(row["label"])
    if "weight" in row:
        finished["typicality"] = to_weight(row["weight"])
    return finished
