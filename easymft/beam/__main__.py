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
    """Run a pipeline and wait for it; returns the exit code (0 done, 1 a fault, 2 bad input)."""
    parser = argparse.ArgumentParser(
        prog="python -m easymft.beam",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pipeline", choices=["predict", "typicality"])
    parser.add_argument("--input", required=True, help="glob of .parquet or .jsonl files")
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
        help="name of the column with the text, text_pair, label, domain or id",
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
    columns = {role: role for role in _KEPT}
    for pair in given.column:
        role, equals, name = pair.partition("=")
        if role not in columns or not equals:
            raise InputError(f"must be ROLE=NAME. Received: {pair!r}", field="--column")
        columns[role] = name
    if given.pipeline == "predict":
        transform, added = _predict(given)
    else:
        transform, added = _typicality(given)
    with beam.Pipeline(options=options) as pipeline:
        rows = pipeline | ReadRows(given.input, columns)
        # Which columns there are must be known before the first row is read.
        kept = {name: pa.string() for name in _KEPT if name not in added}
        schema = {**kept, **added}
        _ = rows | transform | beam.Map(_only, list(schema)) | WriteRows(given.output, schema)


def _predict(given: argparse.Namespace) -> tuple[beam.PTransform, dict[str, pa.DataType]]:
    from easymft.beam.predict import Predict, columns_of

    if given.export is None:
        raise InputError("is missing", field="--export")
    return Predict(given.export, given.batch_size), columns_of(given.export)


def _typicality(given: argparse.Namespace) -> tuple[beam.PTransform, dict[str, pa.DataType]]:
    from easymft.beam.typicality import Typicality
    from easymft.config.loading import load_config

    if given.config is None:
        raise InputError("is missing", field="--config")
    config = load_config(given.config, given.set)
    return Typicality(config, given.batch_size), {"typicality": pa.float32()}


def _only(row: dict, columns: list[str]) -> dict:
    return {
        name: str(row[name]) if name in _KEPT and row.get(name) is not None else row.get(name)
        for name in columns
    }


if __name__ == "__main__":
    sys.exit(main())
