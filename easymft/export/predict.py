"""Labels for a file of texts, or for lines of a stream, by an exported model."""

import contextlib
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from easymft.errors import InputError, did_you_mean, listed, shown
from easymft.export.prediction_input import FORMATS, Wanted, open_texts
from easymft.export.prediction_output import open_output
from easymft.export.predictor import Predictor, in_batches
from easymft.progress import progress_bar, progress_bars

logger = logging.getLogger(__name__)

COLUMNS = {"text": "text", "text_pair": "text_pair", "domain": "domain", "id": "id"}
# Batches among which texts are sorted, by domain and length: the model of each domain then runs on
# whole batches, and little of them is padding.
WINDOW = 50


def predict_file(
    export: str | Path | Predictor,
    input: str | Path = "-",
    output: str | Path = "-",
    *,
    columns: Mapping[str, str] = COLUMNS,
    domain: str = "",
    batch_size: int = 32,
    input_format: str = "auto",
    encoding: str = "auto",
    delimiter: str = "auto",
) -> int:
    """Predict every text of a file; the rows come out in the order they came in.

    Args:
        export: The export folder of a run (its combined model is used), a model's folder in it
            (its newest version), a version's folder; or one of these that is loaded.
        input: CSV, TSV, JSONL (or a JSON array) or Parquet, also gzipped where it is text, a glob
            or a folder of parts, or a URL of these that fsspec reads; a pipe or device; or `"-"`,
            standard input. A stream may hold any of them, or lines: a text each, for pair models
            two with a tab between them.
        output: Parquet, CSV, TSV or JSONL by the name's suffix, a URL too; `"-"`: JSONL on standard
            output.
            Columns: `id`, `text`, `text_pair`, `domain` as far as the input has them, then
            `label`, `score`, `abstain`, `familiarity`, `nearest_domain`, and `probability_<label>`
            for every label.
        columns: Column name of the input by role. `text` must be there, `text_pair` for pair
            models; `domain` and `id` are read if there.
        domain: Domain of all texts, where the input has no such column.
        batch_size: Texts run at once.
        input_format: `lines`, `csv`, `tsv`, `jsonl` or `parquet`; `auto`: by the name's suffix,
            without one by what the stream begins with.
        encoding: Encoding of text files, or `auto`.
        delimiter: Delimiter of CSV and TSV, or `auto`.

    Returns:
        Number of texts.

    Raises:
        InputError: No such export, or an input that cannot be read.

    Example:
        >>> predict_file("runs/amazon/mft/seed-1/export", "reviews.csv", "labels.parquet")
        8000
    """
    if input_format not in FORMATS:
        raise InputError(f"must be one of {', '.join(FORMATS)}. Received: {input_format!r}")
    count = 0
    with open_output(str(output)) as write:
        predictor = Predictor(export) if isinstance(export, str | Path) else export
        required = [role for role in predictor.inputs if role != "domain"]
        wanted = Wanted(columns, required, encoding, delimiter)
        with (
            open_texts(str(input), input_format, wanted) as texts,
            _progress_bar(texts.total, str(output)) as bar,
        ):
            if "domain" in predictor.inputs and not domain:
                _say_who_answers(texts.domains, predictor.domains, columns.get("domain"))
            for window in texts.windows(WINDOW * batch_size):
                rows = {role: [row[role] for row in window] for role in window[0]}
                if "domain" in predictor.inputs:
                    rows.setdefault("domain", [domain] * len(window))
                write({**rows, **in_batches(predictor, rows, batch_size, bar.update)})
                count += len(window)
    return count


def _say_who_answers(found: Mapping[str, int], known: Sequence[str], column: str | None) -> None:
    """Say which texts no domain's own model answers, since a mistyped domain looks like that."""
    total = sum(found.values())
    if without := found.get("", 0):
        message = "%d of %d texts have no domain (column %s); the model of all domains answers them"
        logger.info(message, without, total, shown(column))
    unknown = {name: texts for name, texts in found.items() if name and name not in known}
    if unknown:
        logger.warning(
            "%d of %d texts are of domains that training did not know (%s%s); the model of all "
            "domains answers them",
            sum(unknown.values()),
            total,
            listed(unknown),
            did_you_mean(next(iter(unknown)), known),
        )


def _progress_bar(total: int | None, output: str) -> tqdm:
    """Show how far it is, unless someone types texts or reads labels on the same terminal."""
    by_hand = (total is None and sys.stdin.isatty()) or (output == "-" and sys.stdout.isatty())
    with progress_bars(False) if by_hand else contextlib.nullcontext():
        return progress_bar("predict", total, unit="text")
