"""Labels from an exported model."""

from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.ml.inference.base import ModelHandler, RunInference

from easymft.beam.files import Row, required_text
from easymft.data.corpus.rows import to_name
from easymft.export.predictor import EXTRAS, Predictor, in_batches

# Batches that a worker is given at once and sorts by length, so that little of them is padding.
WINDOW = 16


class Predict(beam.PTransform):
    """Adds to rows with `text` what `Predictor` answers: `label`, `score` and others.

    The domain of a row, where the model asks for it and the row has none, is the empty one, for
    which the meta-learner answers.

    Args:
        export: As for `easymft.export.predict.predict_file`; a path that every worker sees.
        batch_size: Largest number of texts run at once.

    Example:
    ```python
    with beam.Pipeline(options=options) as pipeline:
        rows = pipeline | ReadRows("reviews-*.parquet", {"text": "body"})
        rows | Predict("runs/amazon/mft/seed-1/export") | ...
    ```
    """

    def __init__(self, export: str, batch_size: int = 64):
        super().__init__()
        self.handler = _Exported(export, batch_size)

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        """Return the rows with what the model answers."""
        return rows | RunInference(self.handler)


def columns_of(export: str) -> dict[str, pa.DataType]:
    """Return names and types of what `Predict` adds."""
    predictor, kinds = Predictor(export), {bool: pa.bool_(), float: pa.float32(), str: pa.string()}
    numbers = ["score", *(f"probability_{label}" for label in predictor.labels)]
    columns = {"label": pa.string(), **dict.fromkeys(numbers, pa.float32())}
    return {**columns, **{name: kinds[EXTRAS[name]] for name in predictor.extras}}


class _Exported(ModelHandler[Row, Row, Predictor]):
    def __init__(self, export: str, batch_size: int):
        super().__init__(max_batch_size=WINDOW * batch_size)
        self.export, self.batch_size = export, batch_size

    def load_model(self) -> Predictor:
        return Predictor(self.export)

    def run_inference(
        self,
        batch: Sequence[Row],
        model: Predictor,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterator[Row]:
        texts = {
            role: [required_text(row, role) for row in batch]
            for role in model.inputs
            if role != "domain"
        }
        if "domain" in model.inputs:
            texts["domain"] = [to_name(row.get("domain")) or "" for row in batch]
        answers = in_batches(model, texts, self.batch_size)
        for index, row in enumerate(batch):
            yield {**row, **{name: values[index] for name, values in answers.items()}}
