"""Run a pipeline from the command line; see `easymft.beam.command_line`."""

import argparse
import sys
from collections.abc import Sequence

import pyarrow as pa

from easymft.data.corpus.rows import to_name
from easymft.errors import InputError

try:
    import apache_beam as beam
except ModuleNotFoundError:
    print("easymft: needs Apache Beam; pip install 'easymft[beam]'", file=sys.stderr)
    sys.exit(2)
from apache_beam.options.pipeline_options import PipelineOptions

from easymft.beam.command_line import ROLES, command_line
from easymft.beam.files import ReadRows, WriteRows


def main(argv: Sequence[str] | None = None) -> int:
    """Run a pipeline and wait for it; return the exit code (0 done, 1 a fault, 2 bad input)."""
    given, beams = command_line().parse_known_args(argv)
    try:
        _run(given, PipelineOptions(beams))
    except InputError as error:
        print(f"easymft: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"easymft: {error}", file=sys.stderr)
        return 1
    return 0


def _run(given: argparse.Namespace, options: PipelineOptions) -> None:
    transform, added, columns = (_predict if given.pipeline == "predict" else _typicality)(given)
    for pair in given.column:
        role, equals, name = pair.partition("=")
        if role not in ROLES or not equals:
            raise InputError(f"must be ROLE=NAME. Received: {pair!r}", field="--column")
        columns[role] = name
    # Which columns there are must be known before the first row is read.
    schema = {**{name: pa.string() for name in ROLES if name not in added}, **added}
    with beam.Pipeline(options=options) as pipeline:
        rows = pipeline | ReadRows(given.input, columns)
        _ = rows | transform | beam.Map(_written, list(schema)) | WriteRows(given.output, schema)


# The transform, names and types of what it adds, and the column of each role.
_Work = tuple[beam.PTransform, dict[str, pa.DataType], dict[str, str]]


def _predict(given: argparse.Namespace) -> _Work:
    from easymft.beam.predict import Predict, columns_of

    if given.export is None:
        raise InputError("is missing", field="--export")
    columns = {role: role for role in ROLES}
    return Predict(given.export, given.batch_size), columns_of(given.export), columns


def _typicality(given: argparse.Namespace) -> _Work:
    from easymft.beam.typicality import Typicality
    from easymft.config.loading import load_config

    if given.config is None:
        raise InputError("is missing", field="--config")
    config = load_config(given.config, given.set)
    stated = config.data.columns.model_dump(exclude_none=True)
    columns = {role: stated.get(role, role) for role in ROLES}
    return Typicality(config, given.batch_size), {"typicality": pa.float32()}, columns


def _written(row: dict, columns: list[str]) -> dict:
    """Return what is written of a row; labels, domains and ids by their names."""
    named = {role: to_name(row.get(role)) for role in ("label", "domain", "id")}
    return {name: named.get(name, row.get(name)) for name in columns}


if __name__ == "__main__":
    sys.exit(main())
