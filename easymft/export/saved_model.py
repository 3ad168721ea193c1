"""A SavedModel that takes raw text and answers with label names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from easymft.errors import InputError
from easymft.export.combined import DomainModels
from easymft.export.text_input import plain_name, tokenize
from easymft.models import TextClassifier
from easymft.models.cpu_kernels import use_keras_kernels

CLASSIFY_METHOD = "tensorflow/serving/classify"


def write_saved_model(
    folder: Path,
    models: TextClassifier | Mapping[str, TextClassifier],
    preprocessor: Any,
    labels: Sequence[str],
    domains: Sequence[str] = (),
    *,
    pair: bool = False,
) -> None:
    """Write trained models as one SavedModel over raw text.

    Its signatures, for any batch size:

    * `serving_default`: `text`, for pair models `text_pair`, for several models `domain` (its
      name; the meta-learner answers for an unknown or empty one), each `(batch,)` strings, to
      `label` `(batch,)` string, `score` `(batch,)` float32, the label's probability, and
      `probabilities` `(batch, classes)` float32 in the order of `labels`.
    * `embed`: the same inputs to `embedding` `(batch, hidden)` float32.
    * `classify`: `inputs` `(batch,)`, serialized `tf.Example`s with these features, to `classes`
      and `scores`, each `(batch, classes)`: what TensorFlow Serving's Classify API calls.

    Any bytes are answered: text that is empty, long, or no UTF-8 does not disturb other rows.

    Args:
        folder: Where to write; must not exist.
        models: One model, or several as of `DomainModels`.
        preprocessor: From `easymft.models.backbone.load_preprocessor`, with the `max_length` of
            training.
        labels: Class names in the order of the codes in training.
        domains: Domain names in the order of the codes in training.
        pair: Whether a text has a second one.

    Raises:
        InputError: Keras runs on another backend than TensorFlow.
        ValueError: Names and models do not fit together.
    """
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise InputError(
            "an export needs Keras' TensorFlow backend (KERAS_BACKEND=tensorflow). Received: "
            f"{keras.backend.backend()}"
        )
    routed = isinstance(models, Mapping)
    answers = DomainModels(models if routed else {"meta-learner": models}, domains)
    for model in answers.models:
        use_keras_kernels(model)
    if len(labels) != answers.num_classes:
        raise ValueError(
            f"`labels` must name the {answers.num_classes} classes of the model. "
            f"Received: {list(labels)}"
        )
    inputs = ["text", *["text_pair"] * pair, *["domain"] * routed]
    columns = [tf.TensorSpec([None], tf.string, name) for name in inputs]
    num_texts = 1 + pair

    # Traced once and shared by all signatures: tokenization is most of the graph.
    preprocessor(x=tuple(tf.constant([""]) for _ in range(num_texts)))  # builds it
    tokens = tf.function(
        lambda *texts: tokenize(preprocessor, texts), autograph=False
    ).get_concrete_function(*columns[:num_texts])

    def read(values: tuple[Any, ...]) -> tuple[dict[str, Any], Any]:
        if routed:
            return tokens(*values[:num_texts]), _codes(plain_name(values[num_texts]), domains)
        return tokens(*values), tf.fill(tf.shape(values[0]), len(domains))

    def predict(*values):
        probabilities = answers.probabilities(*read(values))
        return {
            # A constant, since a lookup table would have to be tracked and initialized.
            "label": tf.gather(tf.constant(list(labels)), tf.argmax(probabilities, 1)),
            "score": tf.reduce_max(probabilities, 1),
            "probabilities": probabilities,
        }

    def embed(*values):
        return {"embedding": answers.embedding(*read(values))}

    def classify(examples):
        features = {name: tf.io.FixedLenFeature([], tf.string, "") for name in inputs}
        parsed = tf.io.parse_example(examples, features)
        probabilities = answers.probabilities(*read(tuple(parsed[name] for name in inputs)))
        classes = tf.tile(tf.constant([list(labels)]), [tf.shape(examples)[0], 1])
        return {"classes": classes, "scores": probabilities}

    archive = keras.export.ExportArchive()
    archive.track(preprocessor)  # tokenizers other than WordPiece have tables
    archive.add_endpoint("serving_default", predict, columns)
    archive.add_endpoint("embed", embed, columns)
    archive.add_endpoint("classify", classify, [tf.TensorSpec([None], tf.string, "inputs")])
    archive.write_out(str(folder), verbose=False)
    # Keras marks every signature as one for Predict, with which Classify does not work.
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(folder))
    updater.replace_method_name("classify", CLASSIFY_METHOD)
    updater.save()


def _codes(names: Any, domains: Sequence[str]) -> Any:
    """Codes of domain names, `(batch,)` int32; the number of domains for an unknown one."""
    import tensorflow as tf

    known = tf.equal(names[:, tf.newaxis], tf.constant([list(domains)], tf.string))
    unknown = tf.ones_like(names[:, tf.newaxis], tf.bool)
    return tf.argmax(tf.cast(tf.concat([known, unknown], 1), tf.int32), 1, tf.int32)
