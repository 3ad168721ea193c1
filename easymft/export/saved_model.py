"""A SavedModel that takes raw text and answers with label names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from easymft.config.method import META_LEARNER
from easymft.errors import InputError
from easymft.export.combined import DomainModels
from easymft.export.precision import Precision, in_precision
from easymft.export.text_input import check_rows, plain_name, tokenize
from easymft.models import TextClassifier
from easymft.models.answer_rules import AnswerRules
from easymft.models.cpu_kernels import use_cpu_kernels
from easymft.models.familiarity import Familiarity, word_embeddings

CLASSIFY_METHOD = "tensorflow/serving/classify"


def write_saved_model(
    folder: Path,
    models: TextClassifier | Mapping[str, TextClassifier],
    preprocessor: Any,
    labels: Sequence[str],
    domains: Sequence[str] = (),
    *,
    pair: bool = False,
    home: str | None = None,
    rules: AnswerRules | None = None,
    familiarity: Familiarity | None = None,
    precision: Precision = "auto",
) -> None:
    """Write trained models as one SavedModel over raw text.

    Its signatures, for any batch size:

    * `serving_default`: `text`, for pair models `text_pair`, for several models `domain` (its
      name; the meta-learner answers for an unknown or empty one), each `(batch,)` strings, to
      `label` `(batch,)` string, `score` `(batch,)` float32, the label's probability,
      `probabilities` `(batch, classes)` float32 in the order of `labels`, and `abstain` `(batch,)`
      bool, whether the score is below the threshold of `rules`; with `familiarity` also
      `familiarity` `(batch,)` float32 in [0, 1], near 0 for a text unlike those of training, and
      `nearest_domain` `(batch,)` string, the domain whose texts it is most like.
    * `embed`: the same inputs to `embedding` `(batch, hidden)` float32.
    * `classify`: `inputs` `(batch,)`, serialized `tf.Example`s with these features, to `classes`
      and `scores`, each `(batch, classes)`: what TensorFlow Serving's Classify API calls.

    Any bytes are answered: text that is empty, long, or no UTF-8 does not disturb other rows.
    Inputs of different lengths, or with more than one dimension, are an `InvalidArgumentError`.

    Args:
        folder: Where to write; must not exist.
        models: One model, or several as of `DomainModels`.
        preprocessor: From `easymft.models.backbone.load_preprocessor`, with the `max_length` of
            training.
        labels: Class names in the order of the codes in training.
        domains: Domain names in the order of the codes in training.
        pair: Whether a text has a second one.
        home: The domain that all texts of a single model are of, if it is for one.
        rules: Temperatures and thresholds of `domains`; `None`: probabilities as the models give
            them, and no abstaining.
        familiarity: What texts are like those of training, of `domains`.
        precision: What encoders are stored in and compute with, see `in_precision`.

    Raises:
        InputError: Keras runs on another backend than TensorFlow.
        ValueError: Names and models do not fit together.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            "an export needs Keras' TensorFlow backend (KERAS_BACKEND=tensorflow). Received: "
            f"{keras.backend.backend()}"
        )
    routed = isinstance(models, Mapping)
    # A mapping may load its models anew whenever it is asked.
    given = dict(models) if routed else {META_LEARNER: models}
    # Each once, where one is named twice.
    twins = {id(model): in_precision(model, precision) for model in given.values()}
    answers = DomainModels({name: twins[id(model)] for name, model in given.items()}, domains)
    for model in answers.models:
        use_cpu_kernels(model, xla=False)
    if len(labels) != answers.num_classes:
        raise ValueError(
            f"`labels` must name the {answers.num_classes} classes of the model. "
            f"Received: {list(labels)}"
        )
    has = {"text": True, "text_pair": pair, "domain": routed}
    inputs = [name for name, given in has.items() if given]
    rules = rules or AnswerRules.none(domains)
    signatures = _Signatures(
        answers, preprocessor, inputs, labels, domains, home, rules, familiarity
    )
    _write(folder, signatures, preprocessor)


def _write(folder: Path, signatures: "_Signatures", preprocessor: Any) -> None:
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    archive.track(preprocessor)  # tokenizers other than WordPiece have tables
    if signatures.codes is not None:
        archive.track(signatures.codes)
    archive.add_endpoint("serving_default", signatures.predict, signatures.columns)
    archive.add_endpoint("embed", signatures.embed, signatures.columns)
    examples = tf.TensorSpec([None], tf.string, "inputs")
    archive.add_endpoint("classify", signatures.classify, [examples])
    archive.write_out(str(folder), verbose=False)
    # Keras marks every signature as one for Predict, with which Classify does not work.
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(folder))
    updater.replace_method_name("classify", CLASSIFY_METHOD)
    updater.save()


class _Signatures:
    """What a server can ask of the models: functions of string tensors, to be traced.

    Attributes:
        columns: Specifications of the inputs of `predict` and `embed`.
        codes: Table from a domain's name to its code, the number of domains for an unknown one;
            to be tracked by what is saved. `None`: no row names a domain that is known.
    """

    def __init__(
        self,
        answers: DomainModels,
        preprocessor: Any,
        inputs: Sequence[str],
        labels: Sequence[str],
        domains: Sequence[str],
        home: str | None,
        rules: AnswerRules,
        familiarity: Familiarity | None,
    ):
        import tensorflow as tf

        self._home = len(domains) if home is None else domains.index(home)
        self.columns = [tf.TensorSpec([None], tf.string, name) for name in inputs]
        self._answers, self._labels = answers, list(labels)
        self._rules, self._familiarity = rules, familiarity
        self.codes = None
        if "domain" in inputs and domains:
            codes = tf.lookup.KeyValueTensorInitializer(
                list(domains), range(len(domains)), value_dtype=tf.int32
            )
            self.codes = tf.lookup.StaticHashTable(codes, default_value=len(domains))
        texts = [column for column in self.columns if column.name != "domain"]
        preprocessor(x=tuple(tf.constant([""]) for _ in texts))  # builds it
        # Traced once and shared by all signatures: tokenization is most of the graph.
        self._tokenize = tf.function(
            lambda *texts: tokenize(preprocessor, texts), autograph=False
        ).get_concrete_function(*texts)

    def predict(self, *values: Any) -> dict[str, Any]:
        import tensorflow as tf

        tokens, domains = self._read(values)
        probabilities = self._probabilities(tokens, domains)
        scores = tf.reduce_max(probabilities, 1)
        return {
            # A constant, since a lookup table would have to be tracked and initialized.
            "label": tf.gather(tf.constant(self._labels), tf.argmax(probabilities, 1)),
            "score": scores,
            "probabilities": probabilities,
            "abstain": self._rules.abstains(scores, domains),
            **self._familiar(tokens, domains),
        }

    def embed(self, *values: Any) -> dict[str, Any]:
        return {"embedding": self._answers.embedding(*self._read(values))}

    def classify(self, examples: Any) -> dict[str, Any]:
        import tensorflow as tf

        string = tf.io.FixedLenFeature([], tf.string, "")
        features = {column.name: string for column in self.columns}
        parsed = tf.io.parse_example(examples, features)
        values = tuple(parsed[column.name] for column in self.columns)
        probabilities = self._probabilities(*self._read(values))
        classes = tf.tile(tf.constant([self._labels]), [tf.shape(examples)[0], 1])
        return {"classes": classes, "scores": probabilities}

    def _probabilities(self, tokens: dict[str, Any], domains: Any) -> Any:
        """Return calibrated probabilities."""
        return self._rules.calibrated(self._answers.probabilities(tokens, domains), domains)

    def _familiar(self, tokens: dict[str, Any], domains: Any) -> dict[str, Any]:
        """Return how familiar texts are, and whose they are most like, where that is known."""
        import tensorflow as tf

        if self._familiarity is None:
            return {}
        words = word_embeddings(self._answers.models[0].backbone)(tokens["token_ids"])
        familiarity, nearest = self._familiarity(words, tokens, domains)
        names = tf.constant(self._familiarity.domains)
        return {"familiarity": familiarity, "nearest_domain": tf.gather(names, nearest)}

    def _read(self, values: tuple[Any, ...]) -> tuple[dict[str, Any], Any]:
        """Return the backbone's inputs and the code of every row's domain."""
        import tensorflow as tf

        names = [column.name for column in self.columns]
        rows = check_rows(dict(zip(names, values, strict=True)))
        routes = rows.pop("domain", None)
        tokens = self._tokenize(*rows.values())
        if routes is None or self.codes is None:
            return tokens, tf.fill(tf.shape(rows["text"]), self._home)
        return tokens, self.codes.lookup(plain_name(routes))
