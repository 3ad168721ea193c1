"""What is done with a part, whichever engine does it: the one code for all of them."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from easymft.config import Config
from easymft.devices import start_up
from easymft.engines.parts import Part
from easymft.fetch import remote
from easymft.files import staged
from easymft.progress import progress_bars

if TYPE_CHECKING:
    from easymft.export.prediction_input import Wanted

WINDOW = 1_600  # texts among which those of one length are batched
_CELLS = "cells"

Work = Callable[[Part], int]


class Task(Protocol):
    """What travels to a worker: settings alone; models are made there."""

    def open(self) -> Work:
        """Load what is needed, once a worker; return what does a part and counts its texts."""
        ...


@dataclass(frozen=True)
class Labels:
    """Labels every text, as `easymft.export.predict.predict_file` does.

    Attributes:
        export: The exported model's folder, which every worker sees.
        columns: Column name of the input by role.
        encoding: Encoding of text files, or `auto`.
        delimiter: Delimiter of CSV and TSV, or `auto`.
    """

    export: str
    columns: Mapping[str, str]
    encoding: str = "auto"
    delimiter: str = "auto"

    def open(self) -> Work:
        """See `Task`."""
        start_up.start()
        from easymft.export.predict import predict_file
        from easymft.export.prediction_output import NoTextsError
        from easymft.export.predictor import Predictor

        predictor = Predictor(self.export)

        def work(part: Part) -> int:
            with progress_bars(False), contextlib.suppress(NoTextsError):
                return predict_file(
                    predictor,
                    part.source,
                    part.target,
                    columns=self.columns,
                    encoding=self.encoding,
                    delimiter=self.delimiter,
                )
            return 0

        return work


@dataclass(frozen=True)
class Embeddings:
    """Leaves every text with its E(x), and with the part the sums of each domain and class.

    Attributes:
        config: The recipe: encoder, lengths, columns.
    """

    config: Config

    def open(self) -> Work:
        """See `Task`."""
        start_up.start()
        from easymft.export.prediction_input import Wanted
        from easymft.export.prediction_output import NoTextsError
        from easymft.methods.typicality_in_parts import TextEncoder

        encode, data = TextEncoder(self.config), self.config.data
        columns = {"id": "id", **data.columns.model_dump(exclude_none=True)}
        roles = [role for role in ("text", "text_pair", "label", "domain") if role in columns]
        wanted = Wanted(columns, roles, data.encoding, data.delimiter)

        def work(part: Part) -> int:
            with progress_bars(False), contextlib.suppress(NoTextsError):
                return _embed(part, wanted, encode)
            return 0

        return work


def _embed(part: Part, wanted: "Wanted", encode: Callable[..., np.ndarray]) -> int:
    from easymft.export.prediction_input import open_texts
    from easymft.export.prediction_output import NoTextsError
    from easymft.methods.typicality_in_parts import added_up, cell_sums

    writer, count, cells = None, 0, {}
    with (
        open_texts(part.source, "auto", wanted) as texts,
        _placed(part.work) as path,
        contextlib.ExitStack() as stack,
    ):
        for window in texts.windows(WINDOW):
            rows = {role: [row[role] for row in window] for role in window[0]}
            read = [role for role in ("text", "text_pair") if role in wanted.required]
            embeddings = encode({role: rows[role] for role in read})
            sums = cell_sums(embeddings, rows["domain"], rows["label"])
            cells = added_up([cells, sums])
            flat = pa.array(embeddings.astype(np.float32).ravel())
            vectors = pa.FixedSizeListArray.from_arrays(flat, embeddings.shape[1])
            table = pa.table({**rows, "embedding": vectors})
            writer = writer or stack.enter_context(pq.ParquetWriter(path, table.schema))
            writer.write_table(table)
            count += len(window)
        if writer is None:
            raise NoTextsError
        kept = [(*cell, own.tolist(), number) for cell, (own, number) in cells.items()]
        writer.add_key_value_metadata({_CELLS: json.dumps(kept)})
    return count


@dataclass(frozen=True)
class Typicality:
    """Scores every text beside the centroids of all; reads what `Embeddings` left.

    Attributes:
        config: The recipe.
        parts: All parts that have texts, whose sums make the centroids.
    """

    config: Config
    parts: tuple[Part, ...]

    def open(self) -> Work:
        """See `Task`."""
        start_up.start()
        from easymft.export.prediction_output import open_output
        from easymft.methods.typicality_in_parts import CellScorer, added_up

        score = CellScorer(added_up(map(_cells_of, self.parts)), self.config.mft)

        def work(part: Part) -> int:
            count = 0
            with remote.opened(part.work, "--output") as file, open_output(part.target) as write:
                for batch in pq.ParquetFile(file).iter_batches(WINDOW):
                    rows = {name: batch[name].to_pylist() for name in batch.schema.names[:-1]}
                    embeddings = batch["embedding"].flatten().to_numpy()
                    embeddings = embeddings.reshape(batch.num_rows, -1)
                    scores = score(embeddings, rows["domain"], rows["label"])
                    write({**rows, "typicality": scores.tolist()})
                    count += batch.num_rows
            return count

        return work


def _cells_of(part: Part) -> dict[tuple[str, str], tuple[np.ndarray, int]]:
    with remote.opened(part.work, "--output") as file:
        kept = json.loads(pq.read_metadata(file).metadata[_CELLS.encode()])
    return {(domain, label): (np.array(own), count) for domain, label, own, count in kept}


@contextlib.contextmanager
def _placed(place: str) -> Iterator[Path]:
    """Yield where to write what is to stand at a path or URL once it is whole."""
    with remote.written(place, "--output") if remote.is_url(place) else staged(place) as path:
        yield path
