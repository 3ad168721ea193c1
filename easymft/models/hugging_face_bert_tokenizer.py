"""WordPiece tokenizer whose ids are those the BERT checkpoints were trained with."""

import re
import unicodedata
from typing import Any

import keras
import keras_hub
import numpy as np

# The characters that BERT's text cleaning drops: U+FFFD and control, format and private-use ones.
# Tab, line feed and carriage return count as spaces and have been replaced by then.
_DROPPED = ("Cc", "Cf", "Co")
_SPACES_RE2 = r"[\t\n\r\p{Z}]"
_DROPPED_RE2 = r"[\x{FFFD}\p{Cc}\p{Cf}\p{Co}]"
_CAPITAL_SIGMA, _SIGMA = "\N{GREEK CAPITAL LETTER SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"


@keras.saving.register_keras_serializable("easymft")
class HuggingFaceBertTokenizer(keras_hub.models.BertTokenizer):
    """`keras_hub.models.BertTokenizer` with the text cleaning of Hugging Face's BERT tokenizers.

    The parent class case-folds (`"™"` becomes `"tm"`, `"ß"` becomes `"ss"`), keeps accents, splits
    at invisible characters and does not split at non-breaking and other Unicode spaces, all of
    which gives other word pieces, or `[UNK]`, than the checkpoint saw in pre-training. Here the
    text is cleaned and lower-cased first, and accents are stripped as in pre-training.

    Text in, ids out, as with the parent: strings or string tensors of any rank, in Python or in a
    TensorFlow graph, where it takes the ops NormalizeUTF8, RegexSplitWithOffsets and
    FastWordpieceTokenizeWithOffsets of tf-text beside core string ops. Differences that remain: a
    special token written in a text, such as `"[SEP]"`, stays plain text, and a word longer than
    100 bytes (there: 100 characters) becomes `[UNK]`.

    Args:
        vocabulary: List of word pieces, or path of a file with one a line.
        lowercase: Lower-case the text.
        strip_accents: Remove accents; `None` does what `lowercase` does.
        split_on_cjk: Make every CJK ideograph a word.
        **kwargs: Of `keras_hub.models.BertTokenizer`.

    Example:
        >>> vocabulary = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "cafe"]
        >>> tokenizer = HuggingFaceBertTokenizer(vocabulary)
        >>> tokenizer("CAFÉ")  # [5]
    """

    # keras-hub finds the tokenizer of a preset by this attribute among all registered classes;
    # only its own class may answer there.
    backbone_cls = None

    def __init__(
        self,
        vocabulary: list[str] | str | None = None,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        split_on_cjk: bool = True,
        **kwargs: Any,
    ):
        super().__init__(
            vocabulary=vocabulary,
            lowercase=False,
            strip_accents=lowercase if strip_accents is None else strip_accents,
            split_on_cjk=split_on_cjk,
            **kwargs,
        )
        self.to_lowercase = lowercase

    def tokenize(self, inputs: Any) -> Any:
        """Return the ids of word pieces, without special tokens; see `keras_hub` for the shapes."""
        if isinstance(inputs, (str, bytes, list, tuple, np.ndarray)):
            return super().tokenize(self._clean_python(inputs))
        return super().tokenize(self._clean_tensor(inputs))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(lowercase=self.to_lowercase, split_on_cjk=self.split_on_cjk)
        return config

    def _clean_python(self, inputs: Any) -> Any:
        if isinstance(inputs, np.ndarray):
            inputs = inputs.tolist()
        if isinstance(inputs, (list, tuple)):
            return [self._clean_python(item) for item in inputs]
        text = inputs.decode("utf-8") if isinstance(inputs, bytes) else inputs
        if text.isascii() and text.isprintable():
            return text.lower() if self.to_lowercase else text
        text = re.sub(r"[\t\n\r]", " ", text)
        kinds = zip(text, map(unicodedata.category, text), strict=True)
        text = "".join(
            " " if kind[0] == "Z" else char
            for char, kind in kinds
            if char != "\ufffd" and kind not in _DROPPED
        )
        if self.to_lowercase:
            # BERT lower-cases letter by letter: a sigma that ends a word is an ordinary one.
            text = text.replace(_CAPITAL_SIGMA, _SIGMA).lower()
        return text

    def _clean_tensor(self, inputs: Any) -> Any:
        import tensorflow as tf

        with tf.device("cpu"):
            text = tf.strings.regex_replace(inputs, _SPACES_RE2, " ")
            text = tf.strings.regex_replace(text, _DROPPED_RE2, "")
            if self.to_lowercase:
                text = tf.strings.regex_replace(text, _CAPITAL_SIGMA, _SIGMA)
                # ASCII first: what Unicode lower-casing makes of "I" depends on the locale.
                text = tf.strings.lower(tf.strings.lower(text), encoding="utf-8")
        return text
