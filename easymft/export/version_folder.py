"""Versions of a served model: complete when they appear, numbered upwards, never replaced."""

import contextlib
import errno
import os
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path

from easymft.files import TEMPORARY, remove, staged

COMBINED = "combined"  # the model of all domains' models
# What a version holds beside the graph: names in the order of their codes.
LABELS_FILE = "assets.extra/labels.txt"
RULES_FILE = "assets.extra/answers.json"  # temperatures and thresholds of the domains
DOMAINS_FILE = "assets.extra/domains.txt"


def versions(model_folder: Path) -> list[int]:
    """Return the versions in a model's folder, ascending; a server looks at these names only."""
    if not model_folder.is_dir():
        return []
    names = (path.name for path in model_folder.iterdir() if path.is_dir())
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


class NextVersion:
    """What `next_version` yields.

    Attributes:
        staging: Folder to create and fill; the server does not look at it.
        path: The published version; `None` until the block has ended.
    """

    def __init__(self, staging: Path):
        self.staging = staging
        self.path: Path | None = None


@contextlib.contextmanager
def next_version(model_folder: Path) -> Iterator[NextVersion]:
    """Stage a new version and publish it when the block succeeds.

    A server polls the folder once a second, so a version gets its name only when every byte of
    it is on disk. Two exports at the same time get two versions.

    Args:
        model_folder: `export/<model>`.

    Example:
    ```python
    with next_version(Path("export/books")) as new:
        tf.saved_model.save(module, new.staging)
    print(new.path)  # export/books/1
    ```
    """
    ready = model_folder / f"{TEMPORARY}ready-{uuid.uuid4().hex[:8]}"
    try:
        with staged(ready) as staging:
            new = NextVersion(staging)
            yield new
        new.path = _rename_to_next(ready, model_folder)
    finally:
        remove(ready)


def remove_versions(model_folder: Path, numbers: Collection[int]) -> None:
    """Remove versions, each in one step for whoever looks at the folder."""
    for number in numbers:
        gone = model_folder / f"{TEMPORARY}{number}-{uuid.uuid4().hex[:8]}"
        os.rename(model_folder / str(number), gone)
        remove(gone)


def _rename_to_next(ready: Path, model_folder: Path) -> Path:
    number = max(versions(model_folder), default=0) + 1
    while True:
        path = model_folder / str(number)
        try:
            # Refused by the system if the folder exists and holds anything.
            os.rename(ready, path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            number += 1
        else:
            return path
