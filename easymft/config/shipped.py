"""The recipes and fragments that come with easymft, in a checkout and where it is installed."""

import contextlib
import os
from pathlib import Path

from easymft.errors import nearest

PACKAGE = Path(__file__).parents[1]
FOLDERS = ("configs", "app_zoo")


def shipped_folder(name: str) -> Path:
    """Return the folder `app_zoo` or `configs`: inside the installed package, else beside it."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def find_recipe(name: str | Path, folder: Path = Path()) -> Path:
    """Return the path of a recipe that the user names, whether or not there is such a file.

    Args:
        name: A path, or the bare name of a recipe of app_zoo/ or of a fragment of configs/, such
            as `amazon` or `minilm`.
        folder: Where relative paths start.
    """
    path = folder / name
    return path if os.path.isfile(path) else _shipped().get(str(name), path)


def hint(name: str | Path, folder: Path = Path()) -> str:
    """Return `; did you mean ...?` for a recipe that `find_recipe` did not find, or nothing."""
    path, parent = folder / name, os.path.dirname(name)
    beside = []
    with contextlib.suppress(OSError, ValueError):  # no such folder, and all that a name can be
        beside = [file for file in os.listdir(path.parent) if file.endswith(".json")]
    near = nearest(str(name), [os.path.join(parent, file) for file in beside])
    near = near or nearest(path.stem, _shipped())
    return f"; did you mean {near!r}?" if near else ""


def _shipped() -> dict[str, Path]:
    """Paths by bare names; the sweeps' and fragments' names differ from each other."""
    return {path.stem: path for name in FOLDERS for path in shipped_folder(name).glob("*.json")}
