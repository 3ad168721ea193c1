"""Trains a model with Keras' own `fit`, a chunk of steps at a time, and goes on after a kill."""

import logging
from typing import Any

from easymft import preemption
from easymft.config import Optimizer, Phase
from easymft.devices.distribution import Distribution
from easymft.devices.faults import NoRoomError
from easymft.errors import InputError
from easymft.methods.checkpoint import Checkpoint, History
from easymft.methods.session import OnChunk, TrainingSession, TrainingTexts
from easymft.models import WarmupLinearDecay, adamw, training
from easymft.models.seeded_model import SeededModel

__all__ = ["Trainer", "TrainingTexts"]

logger = logging.getLogger(__name__)


class Trainer:
    """One compiled model, trained for one or several phases of different length.

    The training step is traced once: each `run` starts from the model's current weights with a
    fresh optimizer, schedule and random state. Where memory runs out, half as many texts are
    computed at a time from then on; a step stays that of the whole batch.

    Args:
        model: The model; compiled here.
        phase: Epochs, learning rate and batch size.
        optimizer: Settings of AdamW.
        seed: Seed of the order of texts, of dropout and of corrupted labels.
        soft: Whether texts are taught probabilities of the classes in place of a class each.

    Attributes:
        parts: In how many parts a step's texts are computed, one after the other.
    """

    def __init__(
        self,
        model: SeededModel,
        phase: Phase,
        optimizer: Optimizer,
        seed: int,
        soft: bool = False,
    ):
        self.model = model
        self.phase = phase
        self.seed = seed
        self._optimizer, self._soft = optimizer, soft
        self._start: list[Any] | None = None
        self._compile(phase.gradient_accumulation_steps)

    def run(
        self,
        name: str,
        texts: TrainingTexts,
        checkpoint: Checkpoint,
        on_chunk: OnChunk | None = None,
    ) -> History:
        """Train; go on from `checkpoint` if it holds a state, which the caller discards afterwards.

        Args:
            name: Of this phase and domain: shown, and mixed into the seed.
            texts: What to train on.
            checkpoint: Where the state of an unfinished training is kept.
            on_chunk: Is told every entry of the history as it is made.

        Returns:
            The history: one dict per chunk with `step`, `epoch`, `learning_rate` and Keras'
            training logs, and `dev_...` figures at the end of the epochs that
            `phase.validation_freq` picks.

        Raises:
            Stopped: The program was asked to stop; the state is in `checkpoint`.
            InputError: There is no memory for one text at a time.
            NoRoomError: There is none where several replicas share a batch.
            WorkerError: Not all workers of a distributed run see the same `checkpoint`.
        """
        seed = training.stable_seed(self.seed, name)
        if checkpoint.parts not in (None, self.parts):
            self._compile(checkpoint.parts)
        # Keras cannot accumulate gradients where several replicas share a batch.
        divides = Distribution.current().replicas == 1
        # In main memory until there is a checkpoint; a step without room may spoil the model's.
        self._start = self.model.get_weights() if divides and not checkpoint.exists else None
        tell = on_chunk and _Once(on_chunk)
        while True:
            session = TrainingSession(
                self.model, self.phase, seed, name, texts, checkpoint, tell, self.parts
            )
            training.begin(self.model, session.total, seed)
            session.resume()
            try:
                self._train(session)
            except NoRoomError as error:
                if not divides:
                    raise
                found = str(error)
            else:
                return session.history
            # Not above, where the error still holds what the step had made.
            self._halve(found, session)

    def _train(self, session: TrainingSession) -> None:
        with preemption.deferred(), session.under_way():
            for epoch in range(session.first_epoch, self.phase.epochs):
                for batches in session.chunks(epoch):
                    session.fit(batches)
                    if session.checkpoint.exists:
                        self._start = None
                if session.awaits_validation():
                    session.validate()
            session.finish()

    def _compile(self, parts: int) -> None:
        self.parts, settings = parts, self._optimizer
        # The length is set by each run.
        schedule = WarmupLinearDecay(self.phase.learning_rate, 1, settings.warmup_ratio, parts)
        adam = adamw(schedule, settings.weight_decay, settings.clip_norm, parts)
        training.compile_to_learn(self.model, adam, soft=self._soft)

    def _halve(self, found: str, session: TrainingSession) -> None:
        """Compute half as many texts at a time, from the last checkpoint on, or from the start."""
        size, checkpoint = self.phase.batch_size, session.checkpoint
        if self.parts >= size:
            raise InputError(
                f"no memory for a step of one text at a time ({found}); take a smaller encoder, "
                f"or shorter texts. Received: {session.texts.tokens.max_length}",
                field="backbone.max_length",
            )
        before, earlier = -(-size // self.parts), self.model.optimizer
        kept = checkpoint.restore(self.model)
        self._compile(min(2 * self.parts, size))
        if kept is not None:
            training.begin(self.model, session.total, session.seed)
            training.go_on_from(self.model, earlier)
            checkpoint.save(self.model, *kept, self.parts)
        elif self._start is not None:
            self.model.set_weights(self._start)
        logger.warning(
            "%s: no memory for %d texts at a time (%s); going on with %d, and a step still has %d.",
            *(session.name, before, found, -(-size // self.parts), size),
        )


class _Once:
    """Tells every entry of a history once, though its steps may be done again."""

    def __init__(self, on_chunk: OnChunk):
        self._on_chunk, self._last = on_chunk, 0.0

    def __call__(self, entry: dict[str, float]) -> None:
        if entry["step"] > self._last:
            self._last = entry["step"]
            self._on_chunk(entry)
