"""What lets a classifier of token ids answer texts: `predict`, `classify`, `evaluate`, `export`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from easymft.config.method import META_LEARNER
from easymft.data.batches.batches import Batches, bucket_lengths
from easymft.data.batches.tokenized_texts import TokenizedTexts
from easymft.devices import replicas
from easymft.devices.freed_memory import KeepFreedMemory
from easymft.devices.machine import jit_compile
from easymft.models import inference, raw_texts, training
from easymft.models.answer_rules import AnswerRules
from easymft.models.cpu_kernels import served_kernels, use_cpu_kernels
from easymft.models.exportable import Exportable
from easymft.models.metrics import DomainMetrics
from easymft.models.text_reader import Domains, TextReader, Typicalities
from easymft.models.vocabulary import Vocabulary
from easymft.progress import progress_bars

BATCH_SIZE = 32  # Keras' own


class TextAnswers(Exportable):
    """A model of token ids that also answers texts, with the tokenizer and the names it needs.

    Token ids are answered as by any Keras model. Texts come in whatever container
    `easymft.models.raw_texts.read` knows.

    Subclasses have `num_classes` and `num_domains`, and answer token ids with `{"logits"}`.
    """

    num_classes: int
    num_domains: int | None
    domain_metrics: DomainMetrics | None
    answers_any_domain = True
    rules: AnswerRules | None = None  # temperatures and thresholds that `calibrate` found
    training_name = "training"  # of the only phase, as recipes call it; mixed into the seed

    def _set_task(
        self,
        preprocessor: Any,
        labels: Sequence[str] | None,
        domains: Sequence[str] | None,
        pairs: bool,
        seed: int | None,
    ) -> None:
        """Take the arguments of the same names; `num_classes` and `num_domains` are known."""
        self._reader = TextReader(
            preprocessor,
            Vocabulary("y", "labels", labels, self.num_classes),
            Vocabulary("domain", "domains", domains, self.num_domains or 0),
        )
        self.pairs, self.seed = pairs, seed
        self._typicality: Typicalities | None = None
        self._scoring: dict[str, Any] = {}  # as `adapt` was told to

    def attach_preprocessor(
        self,
        preprocessor: Any,
        labels: Sequence[str] | None = None,
        domains: Sequence[str] | None = None,
        pairs: bool = False,
    ) -> None:
        """Let a model of token ids read texts and answer with names from now on.

        Args:
            preprocessor: Makes the inputs of texts; see `easymft.models.load_preprocessor`.
            labels: Names of the classes, in the order of their codes.
            domains: Names of the domains, in the order of their codes.
            pairs: Whether a text has a second one, for `export`.
        """
        self._set_task(preprocessor, labels, domains, pairs, self.seed)

    @property
    def preprocessor(self) -> Any:
        """What turns texts into token ids; see `easymft.models.load_preprocessor`."""
        return self._reader.preprocessor

    @property
    def labels(self) -> list[str] | None:
        """Names of the classes, in the order of their codes."""
        return self._reader.labels.names

    @property
    def domains(self) -> list[str] | None:
        """Names of the domains, in the order of their codes."""
        return self._reader.domains.names

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return loss and metrics, of each domain too, as Keras does; takes what `fit` takes.

        A domain that the model does not know is left out of the metrics of domains.
        """
        if not raw_texts.is_raw(x):
            return super().evaluate(
                x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict, **kwargs
            )
        given = raw_texts.read(x, y, sample_weight)
        size = batch_size or given.batch_size or BATCH_SIZE
        given = given if steps is None else given.first(steps * size)
        asked = self._reader.tokens(given, True, self._domains_needed("given"))
        with replicas.scope_of(self), asked as tokens:
            self._compile_itself()
            use_cpu_kernels(self)
            batches = self._batches(tokens, size, given.weights)
            return super().evaluate(
                batches.to_keras(),
                verbose=verbose,
                steps=len(batches),
                callbacks=with_ours(callbacks),
                return_dict=return_dict,
            )

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Return class probabilities of texts, `(texts, classes)` float32; of token ids logits.

        Texts may be of any domain, or of none, but for a model that has a head for each.

        Args:
            x: As `fit` takes it; token ids, for which Keras' outputs are returned: `{"logits"}`.
            batch_size: Texts at a time.
            verbose: As in Keras.
            steps: As in Keras.
            callbacks: As in Keras.

        Raises:
            InputError: A text cannot be used.
        """
        if not raw_texts.is_raw(x):
            return super().predict(x, batch_size, verbose, steps, callbacks)
        given = raw_texts.read(x)
        size = batch_size or given.batch_size or BATCH_SIZE
        given = given if steps is None else given.first(steps * size)
        answers, _, domains = self._answered(given, False, size, callbacks, verbose)
        return self._ruled(answers, domains)

    def _answered(
        self,
        given: raw_texts.RawTexts,
        labelled: bool,
        batch_size: int | None = None,
        callbacks: Any = None,
        verbose: Any = 0,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return class probabilities as the model gives them, and the codes of texts.

        Returns:
            `(texts, classes)` float32; classes, `(texts,)` int; and domains, `(texts,)` int, the
            number of domains for no known one.
        """
        size = batch_size or given.batch_size or BATCH_SIZE
        needed = self._domains_needed("given" if labelled else "free")
        use_cpu_kernels(self)
        with (
            replicas.scope_of(self),
            self._reader.tokens(given, labelled, needed) as tokens,
            progress_bars(False),
        ):
            outputs = inference.predict(
                *(self, "predict", tokens, np.arange(len(tokens)), size),
                callbacks=callbacks or (),
                verbose=verbose,
            )
            domains = np.where(tokens.domains < 0, self._reader.domains.count, tokens.domains)
            labels = np.array(tokens.labels)
        probabilities = keras.ops.softmax(outputs["logits"], axis=-1)
        return keras.ops.convert_to_numpy(probabilities), labels, domains

    def _ruled(self, probabilities: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Return what the model's rules make of probabilities; takes what `_answered` gives."""
        return probabilities

    def classify(
        self, texts: Any, domains: Any = None, text_pairs: Any = None
    ) -> tuple[list[str], np.ndarray]:
        """Return each text's most probable class, by name, and its probability.

        Args:
            texts: As `fit` takes them.
            domains: `(texts,)` names or codes.
            text_pairs: `(texts,)`, the second text of each pair.

        Returns:
            `(texts,)` names, the digits of codes where the model has no `labels`; and `(texts,)`
            float32.
        """
        own = {"text_pair": text_pairs, "domain": domains}
        named = {role: values for role, values in own.items() if values is not None}
        probabilities = self.predict({"text": texts, **named} if named else texts, verbose=0)
        best = probabilities.argmax(axis=1)
        return [self._reader.labels.name(code) for code in best], probabilities.max(axis=1)

    def export(
        self,
        filepath: str | Path,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Write a SavedModel that takes texts and answers with names, as a recipe's are.

        See `easymft.export.saved_model.write_saved_model` for its signatures. It reads pairs where
        `fit` did, and domains where they change the answer. Without a tokenizer, in another format
        or with an `input_signature` of token ids, Keras writes the model of token ids.

        Args:
            filepath: Where to write.
            format: One of Keras' formats.
            verbose: As in Keras.
            input_signature: As Keras takes it: `[model.input_signature()]` for token ids.
            **kwargs: Of the format.

        Raises:
            InputError: Keras runs on another backend than TensorFlow.
        """
        of_tokens = self.preprocessor is None or input_signature is not None
        if of_tokens or format != "tf_saved_model":
            super().export(filepath, format, verbose, input_signature, **kwargs)
            return
        # An import that goes up, stated in the contracts: a Keras model exports itself.
        from easymft.export.saved_model import write_saved_model

        labels, domains = self._reader.labels.every_name(), self._reader.domains.every_name()
        learner = self.without_heads()
        with served_kernels(learner):
            write_saved_model(
                Path(filepath),
                {META_LEARNER: learner} if self.reads_domains else learner,
                self.preprocessor,
                labels,
                domains if self.reads_domains else (),
                pair=self.pairs,
                rules=self.rules,
            )
        if verbose is not False:
            print(f"Saved artifact at '{filepath}', of texts in and names of classes out.")

    def without_heads(self) -> Any:
        """Return the classifier without what only training needs, on the same encoder."""
        raise NotImplementedError

    @property
    def reads_domains(self) -> bool:
        """Return whether a text's domain changes its answer."""
        return not self.answers_any_domain or bool(self.rules and self.rules.domains)

    def _batches(
        self,
        tokens: TokenizedTexts,
        batch_size: int,
        weights: np.ndarray | None,
        seed: int | None = None,
        by_length: bool = True,
    ) -> Batches:
        return Batches(
            tokens,
            np.arange(len(tokens)),
            batch_size,
            seed=seed,
            buckets=bucket_lengths(bool(jit_compile())),
            sample_weight=weights,
            by_length=by_length,
        )

    def _domains_needed(self, else_: Domains) -> Domains:
        return else_ if self.answers_any_domain else "known"

    def _compile_itself(self) -> None:
        """Compile, unless someone did; metrics of domains have their names from then on."""
        if self.domain_metrics is not None:
            self.domain_metrics.domains = self.domains
        # Without an optimizer it is compiled to predict only.
        if not self.compiled or self.optimizer is None:
            training.compile_to_learn(self, metrics=["accuracy"])


def with_ours(callbacks: Any, *ours: keras.callbacks.Callback) -> Any:
    """Return a user's callbacks with ours, and with the one that a CPU is slow without."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    return [*keras.tree.flatten(callbacks or []), *ours, KeepFreedMemory()]
