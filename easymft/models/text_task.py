"""What lets a classifier of token ids learn from texts: `adapt`, `fit` and `fine_tune`."""

import contextlib
import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np

from easymft.data.batches.batches import Batches
from easymft.data.batches.tokenized_texts import TokenizedTexts
from easymft.devices import replicas
from easymft.errors import InputError
from easymft.layers import TypicalityWeighting
from easymft.models import raw_texts, scoring, training
from easymft.models.calibrated_answers import CalibratedAnswers
from easymft.models.cpu_kernels import use_cpu_kernels
from easymft.models.optimizer import WarmupLinearDecay, adamw
from easymft.models.raw_texts import RawTexts
from easymft.models.resumed_order import ResumedOrder
from easymft.models.text_answers import BATCH_SIZE, with_ours
from easymft.models.text_embedder import TextEmbedder
from easymft.models.text_reader import Typicalities
from easymft.progress import progress_bars


class TextTask(CalibratedAnswers):
    """A model of token ids that also learns from texts.

    Token ids are learned from as by any Keras model. Texts are tokenized once and batched by
    length; a model that nobody compiled compiles itself, and the scores of `adapt` multiply
    `sample_weight` and `class_weight`.
    """

    def adapt(
        self,
        x: Any,
        y: Any = None,
        *,
        alpha: float = 0.5,
        clip: float | None = 0.0,
        variant: Literal["paper", "easytransfer"] = "paper",
    ) -> np.ndarray:
        """Score how typical each text is of its class, with the encoder as it is.

        `fit` weights these texts by their scores from then on. A saved model has no scores.

        Args:
            x: Texts with their domains; see `fit`.
            y: Their classes.
            alpha: Share of the own domain's centroid.
            clip: Lower bound of the scores; `None` keeps negative ones.
            variant: See `easymft.layers.TypicalityWeighting`, as for the others.

        Returns:
            `(texts,)` float32.

        Raises:
            InputError: A text, label or domain cannot be used.
        """
        given = raw_texts.read(x, y)
        self._scoring = {"alpha": alpha, "variant": variant, "clip": clip}
        layer = TypicalityWeighting(self.num_domains or 1, self.num_classes, **self._scoring)
        with (
            replicas.scope_of(self),
            self._reader.tokens(given, True, "known") as tokens,
            progress_bars(False),
        ):
            rows = {"train": np.arange(len(tokens))}
            scores = scoring.scores(TextEmbedder(self), tokens, rows, layer)["train"]
            weights = scores if clip is None else np.maximum(scores, np.float32(clip))
            self._typicality = Typicalities(given, tokens, weights)
        return weights

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[Any, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> keras.callbacks.History:
        """Train on texts, or on token ids as any Keras model does; arguments are Keras' own.

        A model that is not compiled compiles itself: AdamW with warm-up and decay over this
        `fit`, cross-entropy, accuracy, and what is fast on this device. Any optimizer with a
        `WarmupLinearDecay` of no length does the same.

        Args:
            x: Texts: a list, array or series; by name, `{"text", "domain"}`, with `"text_pair"`
                for pairs, in a dict, data frame or Arrow table; or a data set of these.
            y: Classes: codes, or names where the model has `labels`. So are domains.
            batch_size: Texts of a step; by default those of a batch of the data set, or 32.
            epochs: As in Keras.
            verbose: As in Keras.
            callbacks: As in Keras.
            validation_split: As in Keras; not with a data set.
            validation_data: Texts with their classes, as `x` and `y`.
            shuffle: Mix the texts anew every epoch, by `seed`; `False`: they come as given.
            class_weight: Weight of each class, by code or name.
            sample_weight: Weight of each text.
            initial_epoch: As in Keras.
            steps_per_epoch: As in Keras.
            validation_steps: As in Keras.
            validation_batch_size: As in Keras.
            validation_freq: As in Keras.

        Returns:
            Keras' history.

        Raises:
            InputError: A text, label, domain or weight cannot be used.
        """
        self.rules = None  # found for the model as it was
        if not raw_texts.is_raw(x):
            self._check_length_is_known()
            return super().fit(
                x,
                y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=callbacks,
                validation_split=validation_split,
                validation_data=validation_data,
                shuffle=shuffle,
                class_weight=class_weight,
                sample_weight=sample_weight,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps,
                validation_batch_size=validation_batch_size,
                validation_freq=validation_freq,
            )
        given = raw_texts.read(x, y, sample_weight)
        if validation_split and validation_data is None:
            given, validation_data = given.split(validation_split)
        with contextlib.ExitStack() as stack:
            stack.enter_context(replicas.scope_of(self))
            tokens = stack.enter_context(self._reader.tokens(given, True, "known"))
            self.pairs = given.are_pairs
            weights = self._weights(given, tokens, class_weight)
            size = batch_size or given.batch_size or BATCH_SIZE
            batches = self._batches(tokens, size, weights, self._order(shuffle), shuffle)
            self._compile_itself()
            # Whole executions: else Keras would take the rest out of the next epoch's batches.
            at_once = self.steps_per_execution
            steps = -(-(steps_per_epoch or batches.steps_per_epoch) // at_once) * at_once
            total = steps * (epochs - initial_epoch)
            self._get_ready(total)
            held_out = self._held_out(stack, validation_data, validation_batch_size or size)
            if isinstance(held_out, Batches):
                validation_steps = validation_steps or len(held_out)
                held_out = held_out.to_keras()
            batches = batches.span(0, max(total, 1))
            return super().fit(
                batches.to_keras(),
                epochs=epochs,
                verbose=verbose,
                callbacks=with_ours(callbacks, ResumedOrder(batches, initial_epoch)),
                validation_data=held_out,
                shuffle=False,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps,
                validation_steps=validation_steps,
                validation_freq=validation_freq,
            )

    def fine_tune(
        self,
        x: Any,
        y: Any = None,
        *,
        parts: Literal["lora", "bias", "head"] = "lora",
        rank: int = 4,
        kernels: Sequence[str] = ("query", "value"),
        learning_rate: float = 1e-4,
        weight_decay: float = 0.01,
        **fit: Any,
    ) -> Any:
        """Give every domain small parts of its own, beside this model, on its own encoder.

        Args:
            x: Texts with their domains, as `fit` takes them.
            y: Their classes.
            parts: See `easymft.models.AdaptedTextClassifier`, as for the next two.
            rank: Inner size of the factors.
            kernels: Which projections have factors.
            learning_rate: Peak of the learning rate.
            weight_decay: Decoupled decay of the parts, towards this model.
            **fit: Of `fit`, such as `epochs` and `validation_data`.

        Returns:
            An `AdaptedTextClassifier`. The encoder, which both share, is frozen by that.

        Raises:
            InputError: A text, label or domain cannot be used.
        """
        from easymft.models.adapted_text_classifier import AdaptedTextClassifier

        if self.num_domains is None or not self.answers_any_domain:
            message = "needs a model that all domains share, and their number (`num_domains`)"
            raise InputError(message, field="fine_tune")
        kind = {"parts": parts, "rank": rank, "kernels": kernels, "seed": self.seed}
        learner = self.without_heads()
        model = AdaptedTextClassifier.of_meta_learner(learner, self.num_domains, **kind)
        optimizer = adamw(WarmupLinearDecay(learning_rate), weight_decay)
        training.compile_to_learn(model, optimizer, metrics=["accuracy"])
        model.fit(x, y, **fit)
        return model

    def _weights(
        self, given: RawTexts, tokens: TokenizedTexts, class_weight: Mapping[Any, float] | None
    ) -> np.ndarray | None:
        """Return the product of all weights that there are, `(texts,)` float32."""
        factors = [] if given.weights is None else [given.weights]
        if self._typicality is not None:
            factors.append(self._typicality.of(given, tokens))
        if class_weight is not None:
            factors.append(self._reader.class_weights(class_weight, tokens.labels))
        return np.prod(factors, axis=0, dtype=np.float32) if factors else None

    def _order(self, shuffle: bool) -> int | None:
        """Return the seed of the order of texts."""
        if not shuffle:
            return None
        if self.seed is None:
            return random.getrandbits(31)
        return training.stable_seed(self.seed, self.training_name)

    def _held_out(self, stack: contextlib.ExitStack, data: Any, batch_size: int) -> Any:
        """Return validation data as batches, where they are texts."""
        if data is None:
            return None
        if not isinstance(data, RawTexts):
            x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
            if not raw_texts.is_raw(x):
                return data
            data = raw_texts.read(x, y, weights)
        tokens = self._reader.tokens(data, True, self._domains_needed("given"))
        return self._batches(stack.enter_context(tokens), batch_size, data.weights)

    def _get_ready(self, steps: int) -> None:
        """Begin a training whose length this `fit` sets; other trainings go on."""
        use_cpu_kernels(self)  # also where a user compiled
        schedule = training.schedule_of(self.optimizer)
        if schedule is not None and schedule.follows_fit:
            own = None if self.seed is None else training.stable_seed(self.seed, self.training_name)
            training.begin(self, steps, own)

    def _check_length_is_known(self) -> None:
        schedule = training.schedule_of(getattr(self, "optimizer", None))
        if schedule is not None and schedule.follows_fit:
            raise ValueError(
                "`fit` of token ids does not say how long the `WarmupLinearDecay` is that the "
                "model was compiled with; compile it with one that has `total_steps`"
            )
