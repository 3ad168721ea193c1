"""Raw text to a backbone's inputs, inside a TensorFlow graph."""

from collections.abc import Mapping
from typing import Any

from easymft.data.batches.batches import FINE_BUCKETS
from easymft.data.corpus.pieces import characters

# What `str.strip` takes away.
_SPACE = r"[\t-\r\x1c-\x20\x{85}\p{Z}]+"
_PLAIN = (
    (f"^{_SPACE}|{_SPACE}$", ""),
    (r"^-0\.0$", "0"),
    (r"^(-?(0|[1-9][0-9]*))\.0$", r"\1"),
    ("^(True|TRUE)$", "true"),
    ("^(False|FALSE)$", "false"),
)


def check_rows(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Make sure, whenever the graph runs, that every input has one value for each text.

    A signature states the shapes `(batch,)`, but a server does not check what it feeds, and most
    ops take another shape without complaint and answer fewer rows than were asked.

    Args:
        columns: String tensors by input name, `(batch,)` as far as is known.

    Returns:
        The same tensors; using them raises `InvalidArgumentError` where their shapes differ.
    """
    import tensorflow as tf

    # What the signature states is forgotten first, else the check would be optimized away.
    opened = {
        name: tf.raw_ops.PlaceholderWithDefault(input=column, shape=None)
        for name, column in columns.items()
    }
    rows = {name: tf.ensure_shape(column, [None]) for name, column in opened.items()}
    (first, leader), *others = rows.items()
    checks = [
        tf.debugging.assert_equal(
            tf.size(column),
            tf.size(leader),
            f"`{name}` and `{first}` must have the same length, one value for each text",
        )
        for name, column in others
    ]
    with tf.control_dependencies(checks):
        return {name: tf.identity(column) for name, column in rows.items()}


def clean_text(text: Any, max_length: int) -> Any:
    """Make any bytes a text that can be tokenized, at a cost that has a bound.

    Keeps the first `16 * max_length` characters, as training does, replaces every byte that is
    not UTF-8 by U+FFFD, and drops NUL, as BERT does and where some tokenizers end a text. Rows do
    not depend on each other.

    Args:
        text: `(batch,)` string tensor.
        max_length: Tokens that the model reads of a text.

    Returns:
        `(batch,)` string tensor of valid UTF-8.
    """
    import tensorflow as tf

    kept = characters(max_length)
    # Bytes first, so that a text of megabytes costs no more than one that is just long enough.
    # A character has at most four; one that is cut in two here lies beyond the characters kept.
    text = tf.strings.substr(text, 0, 4 * kept)
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    text = tf.strings.regex_replace(text, r"\x00", "")
    return tf.strings.substr(text, 0, kept, unit="UTF8_CHAR")


def plain_name(name: Any) -> Any:
    """Name a domain as `easymft.data.corpus.rows.to_name` names a text.

    Args:
        name: `(batch,)` string tensor, of any bytes.

    Returns:
        `(batch,)` string tensor of valid UTF-8.
    """
    import tensorflow as tf
    import tensorflow_text as tf_text

    name = tf.strings.unicode_transcode(name, "UTF-8", "UTF-8", errors="replace")
    for pattern, plain in _PLAIN:
        name = tf.strings.regex_replace(name, pattern, plain)
    return tf_text.normalize_utf8(name, "NFC")


def tokenize(preprocessor: Any, texts: tuple[Any, ...]) -> dict[str, Any]:
    """Turn texts, or texts and their pairs, into the backbone's inputs.

    Args:
        preprocessor: From `easymft.models.backbone.load_preprocessor`.
        texts: One or two `(batch,)` string tensors, of any bytes.

    Returns:
        `"token_ids"`, `"padding_mask"` and, where the backbone has them, `"segment_ids"`, each
        `(batch, length)`: the first of `padded_lengths` that holds the longest text of the batch.
    """
    import tensorflow as tf

    cleaned = tuple(clean_text(text, preprocessor.sequence_length) for text in texts)
    tokens = preprocessor(x=cleaned)
    # A model computes as much for padding as for words.
    used = tf.reduce_any(tf.cast(tokens["padding_mask"], tf.bool), 0)
    longest = tf.reduce_max(tf.where(used, tf.range(1, tf.size(used) + 1), 1))
    lengths = tf.constant(padded_lengths(preprocessor.sequence_length))
    length = tf.reduce_min(tf.where(lengths >= longest, lengths, lengths[-1]))
    return {name: values[:, :length] for name, values in tokens.items()}


def padded_lengths(max_length: int) -> list[int]:
    """Return the lengths that an exported graph pads batches to, ascending, `max_length` the last.

    They are few, since a processor's library prepares what it computes anew for every shape.
    """
    return [length for length in (4, 8, *FINE_BUCKETS) if length < max_length] + [max_length]
