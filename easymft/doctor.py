"""`--mode doctor`: what is here, what it will do, and what is missing for which feature.

Starts neither TensorFlow nor Keras: it is for machines where these do not start.
"""

import importlib.metadata as metadata
import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import easymft
from easymft.devices import processor
from easymft.errors import InputError
from easymft.fetch import cache
from easymft.fetch.artifacts import ARTIFACTS

# Of a run's dependencies, those that decide what it computes.
RELEASES = ("tensorflow", "tensorflow-text", "keras", "keras-hub", "numpy", "pyarrow")
BACKENDS = ("tensorflow", "jax")
GPU_SECONDS = 5
EXTRAS = {
    "audit": "wrong labels, repetitions (--mode audit, easymft.audit)",
    "beam": "pipelines over many files (python -m easymft.beam)",
    "gs": "data and answers at gs://...",
    "hf": "data of Hugging Face (data.source hf:NAME)",
    "optuna": "trials chosen by what the last ones got (search.sampler tpe)",
    "ray": "many files by many processes (--mode score --engine ray)",
    "s3": "data and answers at s3://...",
}
"""What each extra of pyproject.toml is for."""


def diagnosis() -> tuple[list[str], bool]:
    """Return lines for people, one screen of them, and whether nothing that all need is amiss."""
    faults = list(_faults())
    accelerators = _accelerators()
    facts = {
        "easymft": f"{easymft.__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
        "releases": ", ".join(f"{name} {_version(name) or '-'}" for name in RELEASES),
        "backend": _backend(),
        "processor": processor.describe_processor(),
        "features": ", ".join(
            f"{k} {'yes' if v else 'no'}" for k, v in processor.features().items()
        ),
        "accelerators": ", ".join(accelerators) or "none that nvidia-smi knows",
        "precision": _precision(bool(accelerators)),
        "kernels": _kernels(bool(accelerators)),
        **_cache(),
        "data": os.environ.get("EASYMFT_DATA_DIR") or "EASYMFT_DATA_DIR is not set",
    }
    lines = [f"{name:<13}{fact}" for name, fact in facts.items()]
    lines += [f"{'extra ' + name:<13}{state}" for name, state in _extras()]
    lines += [f"{'amiss':<13}{fault}" for fault in faults] or ["nothing amiss"]
    return lines, not faults


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _requirements() -> list[Requirement]:
    """Return what the installed easymft declares; nothing of a checkout that is not installed."""
    try:
        return [Requirement(text) for text in metadata.requires("easymft") or ()]
    except metadata.PackageNotFoundError:
        return []


def _faults() -> Iterator[str]:
    for requirement in _requirements():
        if requirement.marker is None:
            found = _version(requirement.name)
            if found is None:
                yield f'{requirement.name} is missing; pip install "{requirement}"'
            elif not requirement.specifier.contains(found, prereleases=True):
                yield f'{requirement.name} {found} is too old; pip install -U "{requirement}"'
    wanted = os.environ.get("KERAS_BACKEND")
    if wanted and (wanted not in BACKENDS or not _is_installed(wanted)):
        yield f"KERAS_BACKEND={wanted}; it must be {' or '.join(BACKENDS)}, and installed"
    releases = {_version(name) for name in ("tensorflow", "tensorflow-text")} - {None}
    if len({version.rsplit(".", 1)[0] for version in releases}) > 1:
        yield "tensorflow and tensorflow-text must be of one release, such as 2.21"


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _backend() -> str:
    wanted = os.environ.get("KERAS_BACKEND")
    chosen = wanted or next(filter(_is_installed, BACKENDS), "none installed")
    return f"{chosen} ({'KERAS_BACKEND' if wanted else 'KERAS_BACKEND is not set'})"


def _accelerators() -> list[str]:
    """Return the GPUs that the driver's own tool lists, within seconds."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=GPU_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return listed.stdout.split("\n")[:-1] if listed.returncode == 0 else []


def _precision(has_gpu: bool) -> str:
    if has_gpu:
        return "auto is mixed_bfloat16 on GPUs from Ampere on, float32 on others"
    flag = processor.bfloat16_flag()
    if flag is None:
        return "auto is float32: this processor does not compute in bfloat16"
    if flag == processor.AMX:
        return f"auto is mixed_bfloat16: the processor has {flag}"
    return f"auto is mixed_bfloat16 if {flag} beats float32 here, as a run measures"


def _kernels(has_gpu: bool) -> str:
    if _backend().startswith("jax"):
        return "XLA's"
    if has_gpu:
        advice = 'where TensorFlow sees no GPU, pip install "tensorflow[and-cuda]"'
        return f"TensorFlow's for GPUs; {advice}"
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != "0"
    return f"oneDNN {'on' if onednn else 'off (TF_ENABLE_ONEDNN_OPTS=0)'}, fused dropout and GELU"


def _cache() -> dict[str, str]:
    try:
        folder = cache.cache_dir()
        cache.check_writable()
    except InputError as error:
        return {"cache": str(error)}
    free = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
    found = {path.name.rpartition("-")[0] for path in folder.glob("packages/*")}
    kept = [
        name
        if canonicalize_name(name) in found or _version(name)
        else f"{name} not yet ({artifact.megabytes} MB, fetched by pip at first use)"
        for name, artifact in ARTIFACTS.items()
    ]
    return {"cache": f"{folder}, {free >> 30} GB free", "fetched": ", ".join(kept)}


def _extras() -> Iterator[tuple[str, str]]:
    needed = {
        extra: [r for r in _requirements() if r.marker and r.marker.evaluate({"extra": extra})]
        for extra in EXTRAS
    }
    for extra, purpose in EXTRAS.items():
        missing = [r.name for r in needed[extra] if _version(r.name) is None]
        if missing or not needed[extra]:
            yield extra, f'missing, for {purpose}: pip install "easymft[{extra}]"'
        else:
            yield extra, f"there, for {purpose}"
