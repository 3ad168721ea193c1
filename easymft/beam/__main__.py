r"""Pipelines over many files: `predict` and `typicality`.

    python -m easymft.beam predict --export runs/amazon/mft/seed-1/export \
        --input 'texts/*.parquet' --output labels.parquet
    python -m easymft.beam typicality --config app_zoo/amazon.json \
        --input 'texts/*.jsonl' --output typicality.parquet

All other flags are Beam's: `--runner FlinkRunner --flink_master HOST:8081`,
`--runner SparkRunner --spark_master_url spark://HOST:7077`, or
`--runner DataflowRunner --project ... --region ... --temp_location gs://...`.
"""

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

from easymft.beam.files import ReadRows, WriteRows

_KEPT = ("id", "text", "text_pair", "label", "domain")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a pipeline and wait for it; return the exit code (0 done, 1 a fault, 2 bad input)."""
    parser = argparse.ArgumentParser(
        prog="python -m easymft.beam",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pipeline", choices=["predict", "typicality"])
    parser.add_argument(
        "--input", required=True, help="path or glob of Parquet or JSON lines files"
    )
    parser.add_argument("--output", required=True, help="name.parquet or name.jsonl, in shards")
    parser.add_argument("--export", help="predict: the export of a run")
    parser.add_argument("--config", help="typicality: the recipe")
    parser.add_argument("--set", action="append", default=[], help="as of easymft.run")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="ROLE=NAME",
        help="name of the column with the text, text_pair, label, domain or id; by default the "
        "recipe's, or that of the role",
    )
    given, beams = parser.parse_known_args(argv)
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
        if role not in _KEPT or not equals:
            raise InputError(f"must be ROLE=NAME. Received: {pair!r}", field="--column")
        columns[role] = name
    # Which columns there are must be known before the first row is read.
    schema = {**{name: pa.string() for name in _KEPT if name not in added}, **added}
    with beam.Pipeline(options=options) as pipeline:
        rows = pipeline | ReadRows(given.input, columns)
        _ = rows | transform | beam.Map(_written, list(schema)) | WriteRows(given.output, schema)


# The transform, names and types of what it adds, and the column of each role.
_Work = tuple[beam.PTransform, dict[str, pa.DataType], dict[str, str]]


def _predict(given: argparse.Namespace) -> _Work:
    from easymft.beam.predict import Predict, columns_of

    if given.export is None:
        raise InputError("is missing", field="--export")
    columns = {role: role for role in _KEPT}
    return Predict(given.export, given.batch_size), columns_of(given.export), columns


def _typicality(given: argparse.Namespace) -> _Work:
    from easymft.beam.typicality import Typicality
    from easymft.config.loading import load_config

    if given.config is None:
        raise InputError("is missing", field="--config")
    config = load_config(given.config, given.set)
    stated = config.data.columns.model_dump(exclude_none=True)
    columns = {role: stated.get(role, role) for role in _KEPT}
    return Typicality(config, given.batch_size), {"typicality": pa.float32()}, columns


def _written(row: dict, columns: list[str]) -> dict:
    """Return what is written of a row; labels, domains and ids by their names."""
    named = {role: to_name(row.get(role)) for role in ("label", "domain", "id")}
    return {name: named.get(name, row.get(name)) for name in columns}


if __name__ == "__main__":
    sys.exit(main())
