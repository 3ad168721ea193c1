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

ROLES = ("id", "text", "text_pair", "label", "domain")


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the flags that are not Beam's own."""
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
    return parser
