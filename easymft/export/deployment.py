"""The files around the models that start a server: configuration, compose file, instructions."""

from collections.abc import Sequence
from pathlib import Path

from easymft.export.version_folder import versions
from easymft.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
SERVER_IMAGE = "tensorflow/serving:2.20.0"
SERVER_FOLDER = "/models"


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
    write_text(folder / "models.config", models_config(models))
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
        write_text(folder / name, _render(f"{name}.jinja", values))


def models_config(models: Sequence[str]) -> str:
    """The text of a `ModelServerConfig` that serves the newest version of every model."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    for name in models:
        config.model_config_list.config.add(
            name=name, base_path=f"{SERVER_FOLDER}/{name}", model_platform="tensorflow"
        )
    return text_format.MessageToString(config)


def _render(template: str, values: dict) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown and YAML
    )
    return environment.get_template(template).render(values)
