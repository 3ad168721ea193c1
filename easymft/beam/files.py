"""Texts in and results out: Parquet and JSON lines, whatever file system Beam reaches."""

import json
from typing import Any

import apache_beam as beam
import pyarrow as pa

from easymft.data.corpus.rows import row_faults, to_name
from easymft.errors import InputError

Row = dict[str, Any]


class ReadRows(beam.PTransform):
    """Reads rows of many files: dicts of the columns by role, and all else that a row has.

    Args:
        pattern: Path, glob or URL of Parquet (`.parquet`) or JSON lines (`.jsonl`, `.jsonl.gz`)
            files.
        columns: Column name by role: `text`, `text_pair`, `label`, `domain`.
    """

    def __init__(self, pattern: str, columns: dict[str, str]):
        super().__init__()
        self.pattern = pattern
        self.roles = {column: role for role, column in columns.items()}

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        if self.pattern.endswith(".parquet"):
            rows = pipeline | beam.io.ReadFromParquet(self.pattern)
        elif self.pattern.removesuffix(".gz").endswith(".jsonl"):
            rows = pipeline | beam.io.ReadFromText(self.pattern) | beam.Map(_object)
        else:
            raise InputError(f"must end in .parquet or .jsonl. Received: {self.pattern}")
        # A few large files would keep as many workers busy as there are files.
        return rows | beam.Map(_by_role, self.roles) | beam.Reshuffle()


class WriteRows(beam.PTransform):
    """Writes rows that all have the same keys into shards `<name>-00000-of-00004<suffix>`.

    Args:
        path: Where; ends in `.parquet` or `.jsonl`.
        columns: Names of the columns and their types.
    """

    def __init__(self, path: str, columns: dict[str, pa.DataType]):
        super().__init__()
        self.path, self.columns = path, columns

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        name, dot, suffix = self.path.rpartition(".")
        if suffix == "parquet":
            schema = pa.schema(self.columns)
            return rows | beam.io.WriteToParquet(name, schema, file_name_suffix=dot + suffix)
        if suffix == "jsonl":
            return (
                rows
                | beam.Map(json.dumps, ensure_ascii=False)
                | beam.io.WriteToText(name, file_name_suffix=dot + suffix)
            )
        raise InputError(f"must end in .parquet or .jsonl. Received: {self.path}")


def _object(line: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(f"a line is no JSON ({error}): {line[:80]!r}") from None
    if not isinstance(row, dict):
        raise InputError(f"a line is no JSON object: {line[:80]!r}")
    return row


def _by_role(row: Row, roles: dict[str, str]) -> Row:
    return {roles.get(column, column): value for column, value in row.items()}


def named(row: Row, role: str) -> str:
    """Return the name of a label or domain.

    Raises:
        InputError: It has none.
    """
    for _, fault in row_faults({role: row.get(role)}):
        raise InputError(f"{fault} in {row!r:.200}", field=role)
    return to_name(row[role])


def required(row: Row, role: str) -> str:
    """The value of a column that must hold text (or a number, which is read as its text).

    Raises:
        InputError: It does not.
    """
    value = row.get(role)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(f"must be text. Received: {value!r} in {row!r:.200}", field=role)
    return str(value)
