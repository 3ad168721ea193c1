"""Files of an encoder's folder that are read before anything is started: sizes and vocabulary."""

import json
import os
from pathlib import Path
from typing import Any

from easymft.errors import InputError
from easymft.fetch.packages import package_path

# Settings of published models have 1 kB.
MAX_CONFIG_BYTES = 1_000_000
_PACKAGE = "package:"


def local_folder(preset: str) -> Path | None:
    """Return the folder that a recipe's preset names; `None` where it is no folder of this machine.

    Args:
        preset: `package:NAME/FOLDER`, which is fetched where it is not here yet, or a path.

    Raises:
        InputError: There is no such package.
    """
    if "://" in preset:
        return None
    if preset.startswith(_PACKAGE):
        folder = package_path(preset.removeprefix(_PACKAGE))
    else:
        folder = Path(os.path.expanduser(preset))
    return folder if os.path.isdir(folder) else None


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


def is_bert(config: dict[str, Any]) -> bool:
    """Return whether a config.json is Hugging Face's for an encoder that reads BERT's pieces."""
    return config.get("model_type") in ("bert", "distilbert")


def word_pieces(folder: Path) -> list[str] | None:
    """Read the WordPiece vocabulary in order of ids; `None` if the folder has none."""
    file = folder / "vocab.txt"
    if file.is_file():
        with open(file, encoding="utf-8", newline="\n") as lines:
            return [line.rstrip("\r\n") for line in lines]
    model = _json(folder / "tokenizer.json").get("model", {})
    if model.get("type") != "WordPiece":
        return None
    return sorted(model["vocab"], key=model["vocab"].get)


def normalization(folder: Path) -> dict[str, Any]:
    """Read how the checkpoint's tokenizer treats case, accents and ideographs."""
    fast = _json(folder / "tokenizer.json").get("normalizer") or {}
    slow = _json(folder / "tokenizer_config.json")
    lowercase = slow.get("do_lower_case", fast.get("lowercase", True))
    return {
        "lowercase": lowercase,
        "strip_accents": slow.get("strip_accents", fast.get("strip_accents")),
        "split_on_cjk": slow.get("tokenize_chinese_chars", fast.get("handle_chinese_chars", True)),
    }


def check_sizes(config: dict[str, Any], pieces: int, max_length: int) -> None:
    """Hold vocabulary and length against the sizes that a local preset's config declares.

    Args:
        config: The preset's config.json; empty where nothing is known of it.
        pieces: Word pieces of the tokenizer.
        max_length: Tokens of a text.

    Raises:
        InputError: The encoder has no place for so many.
    """
    if max_length < 4:
        raise InputError(f"must be at least 4. Received: {max_length}", field="backbone.max_length")
    own = config.get("config", config)  # Keras format nests it
    positions = own.get("max_sequence_length", own.get("max_position_embeddings"))
    if positions is not None and "roberta" in config.get("model_type", ""):
        positions -= 2  # two rows of the table stand for no position
    if positions is not None and max_length > positions:
        raise InputError(
            f"must be at most {positions}, the positions of this backbone. Received: {max_length}",
            field="backbone.max_length",
        )
    known = own.get("vocabulary_size", own.get("vocab_size"))
    if known is not None and pieces > known:
        raise InputError(
            f"the tokenizer has {pieces} word pieces but the weights only {known}; the preset's "
            "files do not belong together.",
            field="backbone.preset",
        )


def _json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
