"""Typicality of texts that are too many for one machine."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.ml.inference.base import ModelHandler, RunInference

from easymft.beam.files import Row, required_name, required_text
from easymft.config import Config
from easymft.devices import start_up

Cell = tuple[str, str]  # domain and label
Sum = tuple[np.ndarray | float, int]


class Typicality(beam.PTransform):
    """Adds `typicality` to rows with `text`, `label` and `domain`: all rows are training texts.

    In two passes: embeddings and their sums per domain and class; then each text's score against
    the centroids. What is computed is what a run's typicality stage computes, clipped as its
    losses clip it.

    Args:
        config: The recipe: encoder, lengths, and the method's settings.
        batch_size: Largest number of texts encoded at once.
    """

    def __init__(self, config: Config, batch_size: int = 64):
        super().__init__()
        self.config, self.batch_size = config, batch_size

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        """Return the rows with their typicality."""
        embedded = rows | RunInference(_Encoder(self.config, self.batch_size))
        centroids = (
            embedded
            | beam.Map(lambda pair: (_cell(pair[0]), pair[1]))
            | beam.CombinePerKey(_SumAndCount())
        )
        return (
            embedded
            | beam.BatchElements(max_batch_size=1024)
            | beam.ParDo(_Score(self.config), beam.pvalue.AsDict(centroids))
        )


class _Encoder(ModelHandler[Row, tuple[Row, np.ndarray], Any]):
    """A row to the row and its E(x), `(hidden,)` float32."""

    def __init__(self, config: Config, batch_size: int):
        super().__init__(max_batch_size=batch_size)
        self.config = config

    def load_model(self) -> Any:
        # Here, not at the top: a pipeline is put together where no model runs.
        start_up.start()
        from easymft.methods.typicality_in_parts import TextEncoder

        return TextEncoder(self.config)

    def run_inference(
        self,
        batch: Sequence[Row],
        model: Any,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterator[tuple[Row, np.ndarray]]:
        is_pair = any(row.get("text_pair") is not None for row in batch)
        if is_pair or self.config.data.columns.text_pair is not None:
            roles = ("text", "text_pair")
        else:
            roles = ("text",)
        embeddings = model({role: [required_text(row, role) for row in batch] for role in roles})
        yield from zip(batch, embeddings, strict=True)


class _SumAndCount(beam.CombineFn):
    def create_accumulator(self) -> Sum:
        return 0.0, 0

    def add_input(self, total: Sum, embedding: np.ndarray) -> Sum:
        return total[0] + embedding.astype(np.float64), total[1] + 1

    def merge_accumulators(self, totals: Iterable[Sum]) -> Sum:
        sums, counts = zip(*totals, strict=True)
        return sum(sums), sum(counts)

    def extract_output(self, total: Sum) -> Sum:
        return total


class _Score(beam.DoFn):
    def __init__(self, config: Config):
        self.config = config

    def process(self, batch: list[tuple[Row, np.ndarray]], cells: dict[Cell, Sum]) -> Iterator[Row]:
        from easymft.methods.typicality_in_parts import CellScorer

        score = CellScorer(cells, self.config.mft)
        domains, labels = zip(*(_cell(row) for row, _ in batch), strict=True)
        scores = score(np.stack([embedding for _, embedding in batch]), domains, labels)
        for (row, _), value in zip(batch, scores.tolist(), strict=True):
            yield {**row, "typicality": value}


def _cell(row: Row) -> Cell:
    return required_name(row, "domain"), required_name(row, "label")
