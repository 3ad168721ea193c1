"""`--mode score`: a set of files in, an answer to each out, by an engine."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from easymft import preemption
from easymft.config import Config
from easymft.engines import parts as planning
from easymft.engines.local import done_here
from easymft.engines.parts import WORK, Part
from easymft.engines.ray_workers import done_by_ray
from easymft.engines.tasks import Embeddings, Labels, Task, Typicality
from easymft.errors import InputError
from easymft.fetch import remote
from easymft.files import TEMPORARY, without_leftovers
from easymft.progress import progress_bar

logger = logging.getLogger(__name__)

Engine = Callable[[Task, Sequence[Part], int], Iterator[tuple[Part, int]]]
ENGINES: Mapping[str, Engine] = {"local": done_here, "ray": done_by_ray}
"""Each takes what to do, the parts and how many processes at most; yields parts as they are done,
with the number of their texts."""


def label_files(
    export: Path, config: Config, source: str, output: str, engine: str = "local", jobs: int = 1
) -> int:
    """Label the texts of many files: each has its answer `part-<number>.parquet` in a folder.

    What stands there under its name is whole, whenever workers or this program were killed; the
    same call does what is missing. The answers are those of `easymft.export.predict.predict_file`.

    Args:
        export: See there; every worker sees it.
        config: The recipe, which names the columns.
        source: Path, folder, glob, or URL of these.
        output: Folder or URL.
        engine: One of `ENGINES`.
        jobs: Processes at most, with engine ray.

    Returns:
        Number of texts labelled now.

    Raises:
        InputError: There is no input, a row cannot be read, or the folder holds something else.
    """
    from easymft.export.predict import COLUMNS
    from easymft.export.predictor import find_version

    version = find_version(export).resolve()
    facts = {"task": "labels", "model": planning.fingerprint(version)}
    parts = planning.plan(source, output, facts)
    data = config.data
    columns = {**COLUMNS, **data.columns.model_dump(exclude_none=True)}
    task = Labels(str(version), columns, data.encoding, data.delimiter)
    return _done(task, planning.waiting(parts, output), engine, jobs, "label")


def typicality_of_files(
    config: Config, source: str, output: str, engine: str = "local", jobs: int = 1
) -> int:
    """Score the texts of many files as training texts beside the centroids of all of them.

    In two passes; what the first leaves for the second stands in a folder `_work`, until all is
    done.

    Args:
        config: The recipe: encoder, columns, and the method's settings.
        source: As of `label_files`, like the others.
        output: As there.
        engine: As there.
        jobs: As there.

    Returns:
        Number of texts scored now.

    Raises:
        InputError: As there.
    """
    kept = {"backbone", "mft", "precision"}
    facts = {"task": "typicality", "recipe": config.model_dump(mode="json", include=kept)}
    parts = planning.plan(source, output, facts)
    if not planning.waiting(parts, output):
        return 0
    _done(Embeddings(config), planning.waiting(parts, output, WORK), engine, jobs, "embed")
    empty = planning.waiting(parts, output, WORK)
    own = tuple(part for part in parts if part not in empty)
    if not own:
        raise InputError("holds no text", file=source, field="--input")
    todo = [part for part in planning.waiting(parts, output) if part in own]
    count = _done(Typicality(config, own), todo, engine, jobs, "typicality")
    remote.remove(f"{output.rstrip('/')}/{WORK}", "--output")
    return count


def _done(task: Task, parts: Sequence[Part], engine: str, jobs: int, name: str) -> int:
    count = 0
    if not parts:
        return count
    with _swept(parts), progress_bar(name, len(parts), unit="file") as bar:
        for part, texts in ENGINES[engine](task, parts, jobs):
            count += texts
            logger.info("%s: %d texts.", part.source, texts)
            bar.update()
            preemption.check()
    return count


@contextlib.contextmanager
def _swept(parts: Sequence[Part]) -> Iterator[None]:
    """Remove what killed workers left unfinished, of earlier calls and of the block."""
    folder = Path(parts[0].target).parent

    def sweep() -> None:
        if folder.is_dir():  # not where it is a URL
            with without_leftovers(folder, f"{TEMPORARY}*"):
                pass

    sweep()
    try:
        yield
    finally:
        sweep()
