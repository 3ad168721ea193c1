"""The files around the models that start a server: configuration, compose file, instructions."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from easymft.errors import InputError
from easymft.export.version_folder import versions
from easymft.files import write_text
from easymft.report.templating import render

TEMPLATES = Path(__file__).parent / "templates"
SERVER_IMAGE = "tensorflow/serving:2.20.0"
SERVER_FOLDER = "/models"
CONFIG_FILE = "models.config"
# The newest, and the one before, which a server answers from until it has loaded the newest.
KEPT_VERSIONS = 2


def write_deployment(
    folder: Path,
    models: Sequence[str],
    labels: Sequence[str],
    domains: Sequence[str],
    *,
    pair: bool,
) -> None:
    """Write what TensorFlow Serving needs besides the models.

    `models.config` (all models), `batching_params.pbtxt`, `monitoring.config`,
    `docker-compose.yml`, and a `README.md` with requests to try.

    Args:
        folder: The export folder, which the server sees as `/models`.
        models: Names of the models' folders; the last is the one shown in the examples.
        labels: Class names.
        domains: Domain names.
        pair: Whether the models take `text_pair`.
    """
    write_text(folder / CONFIG_FILE, _models_config(folder, models))
    for name in ("batching_params.pbtxt", "monitoring.config"):
        write_text(folder / name, (TEMPLATES / name).read_text(encoding="utf-8"))
    values = {
        "models": models,
        "shown": models[-1],
        "version": versions(folder / models[-1])[-1],
        "labels": labels,
        "domains": domains,
        "pair": pair,
        "routed": models[-1] == "combined",
        "image": SERVER_IMAGE,
        "server_folder": SERVER_FOLDER,
    }
    for name in ("docker-compose.yml", "README.md"):
        write_text(folder / name, render(f"{name}.jinja", "easymft.export", **values))


def read_models_config(folder: Path) -> Any:
    """Read the `ModelServerConfig` of an export folder, which its user may have changed.

    Raises:
        InputError: It is none.
    """
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config, file = model_server_config_pb2.ModelServerConfig(), folder / CONFIG_FILE
    if file.exists():
        try:
            text_format.Parse(file.read_text(encoding="utf-8"), config)
        except (text_format.ParseError, UnicodeDecodeError) as error:
            message = f"is no ModelServerConfig ({error}); mend it, or remove it to have it anew"
            raise InputError(message, file=file) from None
    return config


def superseded(config: Any, model: str, numbers: Sequence[int]) -> list[int]:
    """Say which versions of a model no server reads that goes by a configuration.

    Args:
        config: Of `read_models_config`.
        model: Name of the model's folder.
        numbers: Its versions, ascending.
    """
    policies = [
        entry.model_version_policy
        for entry in config.model_config_list.config
        if Path(entry.base_path).name == model
    ]
    if any(policy.HasField("all") for policy in policies):
        return []
    kept = max([KEPT_VERSIONS, *(policy.latest.num_versions + 1 for policy in policies)])
    pinned = {number for policy in policies for number in policy.specific.versions}
    return [number for number in numbers[:-kept] if number not in pinned]


def _models_config(folder: Path, models: Iterable[str]) -> str:
    """Write down that every model is served; what the file says already stays."""
    from google.protobuf import text_format

    config = read_models_config(folder)
    known = {entry.name for entry in config.model_config_list.config}
    for name in models:
        if name not in known:
            config.model_config_list.config.add(
                name=name, base_path=f"{SERVER_FOLDER}/{name}", model_platform="tensorflow"
            )
    return text_format.MessageToString(config)
