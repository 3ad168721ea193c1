"""Texts in and results out: Parquet and JSON lines, whatever file system Beam reaches."""

import json
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filesystems import FileSystems

from easymft.data.corpus.rows import row_faults, to_name
from easymft.data.files.reader import SUFFIXES, suffix_of
from easymft.errors import InputError, shown

Row = dict[str, Any]


class ReadRows(beam.PTransform):
    """Reads rows of many files: dicts of the columns by role, and all else that a row has.

    Args:
        pattern: Path, glob or URL of Parquet or JSON lines files, the latter maybe with `.gz`.
        columns: Column name by role: `text`, `text_pair`, `label`, `domain`, `id`. Where a file
            has a column that is called like a role and stands for none, the role goes before.
    """

    def __init__(self, pattern: str, columns: dict[str, str]):
        super().__init__()
        self.pattern, self.columns = pattern, columns

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Return the rows of all files."""
        form = _form(suffix_of(Path(self.pattern)), "--input")
        if form == "parquet":
            rows = pipeline | beam.io.ReadFromParquet(self.pattern)
        else:
            rows = pipeline | beam.io.ReadFromText(self.pattern) | beam.Map(_object)
        # A few large files would keep as many workers busy as there are files.
        return rows | beam.Map(_by_role, self.columns) | beam.Reshuffle()


class WriteRows(beam.PTransform):
    """Writes rows that all have the same keys into shards `<name>-00000-of-00004<suffix>`.

    Args:
        path: Where; Parquet or JSON lines by its suffix.
        columns: Names of the columns and their types.
    """

    def __init__(self, path: str, columns: dict[str, pa.DataType]):
        super().__init__()
        self.path, self.columns = path, columns

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        """Return the names of the shards."""
        form = _form(Path(self.path).suffix.lower(), "--output")
        name, dot, suffix = self.path.rpartition(".")
        # Of another number of shards some would stay, and count twice for who reads them all.
        for match in FileSystems.match([f"{name}-?????-of-?????{dot}{suffix}"]):
            if match.metadata_list:
                message = "holds shards of an earlier pipeline; remove them, or choose another name"
                raise InputError(message, file=self.path, field="--output")
        if form == "parquet":
            schema = pa.schema(self.columns)
            return rows | beam.io.WriteToParquet(name, schema, file_name_suffix=dot + suffix)
        return (
            rows
            | beam.Map(json.dumps, ensure_ascii=False)
            | beam.io.WriteToText(name, file_name_suffix=dot + suffix)
        )


def _form(suffix: str, field: str) -> str:
    """Return the format that a suffix tells: parquet or jsonl.

    Raises:
        InputError: It is neither.
    """
    known = {suffix: form for suffix, form in SUFFIXES.items() if form in ("parquet", "jsonl")}
    if suffix not in known:
        message = f"must end in one of {', '.join(known)}. Received: {suffix or 'no suffix'}"
        raise InputError(message, field=field)
    return known[suffix]


def _object(line: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"a line is no JSON ({error}): {line[:80]!r}") from None
    if not isinstance(row, dict):
        raise InputError(f"a line is no JSON object: {line[:80]!r}")
    if "\\ud" in line.lower():  # half a surrogate pair is no text that Beam could pass on
        row = json.loads(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace"))
    return row


def _by_role(row: Row, columns: dict[str, str]) -> Row:
    spoken_for = {*columns, *columns.values()}
    others = {name: value for name, value in row.items() if name not in spoken_for}
    return others | {role: row[column] for role, column in columns.items() if column in row}


def required_name(row: Row, role: str) -> str:
    """Return the name of a label or domain.

    Raises:
        InputError: It has none.
    """
    for _, fault in row_faults({role: row.get(role)}):
        raise InputError(f"{fault} in {row!r:.200}", field=role)
    return to_name(row[role])


def required_text(row: Row, role: str) -> str:
    """Return a text, which may be empty.

    Raises:
        InputError: It is something else.
    """
    value = row.get(role)
    if not isinstance(value, str):
        message = f"must be text. Received: {shown(value)} in {row!r:.200}"
        raise InputError(message, field=role)
    return value
