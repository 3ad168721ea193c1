"""Labels for a file of texts, or for lines of standard input, by an exported model."""

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from easymft.errors import InputError
from easymft.export.prediction_files import open_output, read_lines, read_rows
from easymft.export.version_folder import versions

COLUMNS = {"text": "text", "text_pair": "text_pair", "domain": "domain", "id": "id"}
_COMBINED = "combined"
_LABELS = "assets.extra/labels.txt"


def predict_file(
    export: str | Path,
    input: str | Path = "-",
    output: str | Path = "-",
    *,
    columns: Mapping[str, str] = COLUMNS,
    domain: str = "",
    batch_size: int = 32,
) -> int:
    """Predict every text of a file; the rows come out in the order they came in.

    Args:
        export: The export folder of a run (its combined model is used), a model's folder in it
            (its newest version), or a version's folder.
        input: CSV, TSV, JSONL or Parquet, also gzipped where it is text; or `"-"`: lines of
            standard input, for pair models both texts of a line with a tab between them.
        output: Parquet, CSV, TSV or JSONL by the name's suffix; `"-"`: JSONL on standard output.
            Columns: `id`, `text`, `text_pair`, `domain` as far as the input has them, then
            `label`, `score`, and `probability_<label>` for every label.
        columns: Column name of the input by role. `text` must be there, `text_pair` for pair
            models; `domain` and `id` are read if there.
        domain: Domain of all texts, where the input has no such column.
        batch_size: Texts run at once.

    Returns:
        Number of texts.

    Raises:
        InputError: No such export, or an input that cannot be read.

    Example:
        >>> predict_file("runs/amazon/mft/seed-1/export", "reviews.csv", "labels.parquet")
        8000
    """
    predictor = Predictor(export)
    roles = predictor.inputs
    if str(input) == "-":
        rows = read_lines(sys.stdin.buffer, pair="text_pair" in roles)
        # Someone who types waits for an answer; a pipe waits for all of them.
        batch_size = 1 if sys.stdin.isatty() else batch_size
    else:
        rows = read_rows(Path(input), columns, required=[r for r in roles if r != "domain"])
    count = 0
    with open_output(output) as write:
        for batch in _batches(rows, batch_size):
            if "domain" in roles:
                batch.setdefault("domain", [domain] * len(batch["text"]))
            write({**batch, **predictor({name: batch[name] for name in roles})})
            count += len(batch["text"])
    return count


class Predictor:
    """An exported model in this process.

    Args:
        export: As for `predict_file`.

    Attributes:
        inputs: Names of the model's inputs: `text`, maybe `text_pair`, maybe `domain`.
        labels: Class names in the order of the probabilities.
    """

    def __init__(self, export: str | Path):
        import tensorflow as tf
        import tensorflow_text  # noqa: F401 (registers the tokenizer's ops)

        folder = find_version(Path(export))
        self._model = tf.saved_model.load(str(folder))
        self._signature = self._model.signatures["serving_default"]
        given = self._signature.structured_input_signature[1]
        self.inputs = [name for name in ("text", "text_pair", "domain") if name in given]
        self.labels = (folder / _LABELS).read_text(encoding="utf-8").split("\n")[:-1]

    def __call__(self, texts: dict[str, list[str]]) -> dict[str, list[Any]]:
        """`label`, `score` and `probability_<label>` of each row; `texts` by input name."""
        import tensorflow as tf

        answers = self._signature(
            **{
                # Half a surrogate pair is no text that a graph could take.
                name: tf.constant([value.encode("utf-8", "replace") for value in values])
                for name, values in texts.items()
            }
        )
        probabilities = answers["probabilities"].numpy()
        return {
            "label": [label.decode() for label in answers["label"].numpy()],
            "score": answers["score"].numpy().tolist(),
            **{
                f"probability_{label}": probabilities[:, code].tolist()
                for code, label in enumerate(self.labels)
            },
        }


def find_version(export: Path) -> Path:
    """The SavedModel that an export folder, a model's folder or a version's folder stands for.

    Raises:
        InputError: There is none.
    """
    for folder in (export, export / _COMBINED):
        if (folder / "saved_model.pb").is_file():
            return folder
        if numbers := versions(folder):
            return folder / str(numbers[-1])
    if export.is_dir():
        models = sorted(path.name for path in export.iterdir() if versions(path))
        message = f"holds no exported model {_COMBINED!r}"
        message += f"; name one of {', '.join(models)}" if models else ""
    else:
        message = "no such folder; export the run first"
    raise InputError(message, file=export)


def _batches(rows: Iterable[dict[str, str]], batch_size: int) -> Iterator[dict[str, list[str]]]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, batch_size)):
        yield {name: [row[name] for row in batch] for name in batch[0]}
