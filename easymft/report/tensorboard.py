"""TensorBoard's view of a run: curves, recipe and embeddings, written without TensorFlow."""

import json
import re
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from easymft.files import slug, write_text

_OF_DOMAIN = re.compile(r"(.+)_domain_(\d+)")


class Logs:
    """The `logs/` folder of a run, for `tensorboard --logdir`.

    Event files are written with TensorBoard's own protocol buffers and record format, and are on
    disk when a method returns. A run that goes on writes a new file which says from which step
    on it counts, so what a killed run wrote beyond its checkpoint is not shown twice. No file is
    made before there is something to write.

    Args:
        folder: The folder.
        domains: Domain names in the order of their codes, which name the curves of domains.

    Example:
    ```python
    with Logs(run_folder / "logs", corpus.domains) as logs:
        logs.add_recipe(config.to_dict())
        trainer.run(..., on_chunk=functools.partial(logs.add_chunk, "meta-learner"))
    ```
    """

    def __init__(self, folder: Path, domains: Sequence[str] = ()):
        self.folder = Path(folder)
        self.domains = domains
        self._writers: dict[Path, Any] = {}

    def __enter__(self) -> "Logs":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; writing again opens new ones."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def add_chunk(self, run: str, entry: Mapping[str, float], only: int | None = None) -> None:
        """Write one entry of a training's history, as `Trainer.run` makes it.

        Args:
            run: Name of the training, a line of its own in every plot.
            entry: `step` and figures; those that begin with `dev_` go under `dev/`, the others
                under `train/`, and figures of a domain get its name.
            only: Code of the only domain trained on; the figures of others, which are all 0, are
                left out.
        """
        from tensorboard.compat.proto.summary_pb2 import Summary

        summary = Summary()
        for key, value in entry.items():
            if key != "step" and (tag := self._tag(key, only)):
                # Not a tensor, which TensorBoard's older reader shows twice after a restart.
                summary.value.add(tag=tag, simple_value=value)
        self._write(self.folder / slug(run), int(entry["step"]), summary)

    def add_recipe(self, recipe: Mapping[str, Any]) -> None:
        """Write the complete recipe: as a text, and as hyperparameters to compare runs by."""
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from tensorboard.plugins.text.summary_v2 import text_pb

        code = textwrap.indent(json.dumps(recipe, indent=2, ensure_ascii=False), " " * 4)
        summary = text_pb("recipe", code)
        summary.MergeFrom(hparams_pb(dict(_flat(recipe))))
        self._write(self.folder, 0, summary)

    def add_embeddings(self, embeddings: Mapping[str, np.ndarray], texts: pa.Table) -> None:
        """Write data of the Projector page; what was there before is replaced.

        Args:
            embeddings: Name -> `(texts, components)`.
            texts: What is known of each text: every string column is shown.
        """
        from google.protobuf import text_format
        from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

        config = ProjectorConfig()
        names = [field.name for field in texts.schema if pa.types.is_string(field.type)]
        rows = [names, *zip(*(texts[name].to_pylist() for name in names), strict=True)]
        write_text(self.folder / "projector" / "metadata.tsv", _tsv(rows))
        for name, vectors in embeddings.items():
            file = f"projector/{slug(name)}.tsv"
            write_text(self.folder / file, _tsv([f"{v:.5g}" for v in row] for row in vectors))
            config.embeddings.add(
                tensor_name=name,
                tensor_shape=vectors.shape,
                tensor_path=file,
                metadata_path="projector/metadata.tsv",
            )
        write_text(
            self.folder / "projector_config.pbtxt",
            text_format.MessageToString(config, as_utf8=True),
        )

    def _tag(self, key: str, only: int | None) -> str | None:
        split, figure = ("dev", key[4:]) if key.startswith("dev_") else ("train", key)
        if match := _OF_DOMAIN.fullmatch(figure):
            code = int(match[2])
            if only not in (None, code):
                return None
            figure = f"{match[1]}/{self.domains[code]}"
        return f"{split}/{figure}"

    def _write(self, folder: Path, step: int, summary: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        now = time.time()
        events = [Event(wall_time=now, step=step, summary=summary)]
        if folder not in self._writers:
            folder.mkdir(parents=True, exist_ok=True)
            # Files are read in the order of their names.
            path = folder / f"events.out.tfevents.{time.time_ns()}"
            self._writers[folder] = RecordWriter(open(path, "wb"))  # noqa: SIM115 (see `close`)
            start = SessionLog(status=SessionLog.START)
            events = [
                Event(wall_time=now, file_version="brain.Event:2"),
                # TensorBoard then forgets what earlier files say of this and later steps.
                Event(wall_time=now, step=step, session_log=start),
                *events,
            ]
        for event in events:
            self._writers[folder].write(event.SerializeToString())
        self._writers[folder].flush()


def _flat(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield `{"mft": {"alpha": 0.5}}` as `("mft.alpha", 0.5)`; what is no plain value as JSON."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        elif value is not None:
            plain = isinstance(value, bool | int | float | str)
            yield f"{path}{key}", value if plain else json.dumps(value)


def _tsv(rows: Any) -> str:
    # A tab or a line break inside a name would shift all that follows.
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)
