"""Trains a model with Keras' own `fit`, a chunk of steps at a time, and goes on after a kill."""

from easymft import preemption
from easymft.config import Optimizer, Phase
from easymft.methods.checkpoint import Checkpoint, History
from easymft.methods.session import OnChunk, TrainingSession, TrainingTexts
from easymft.models import WarmupLinearDecay, adamw, training
from easymft.models.seeded_model import SeededModel

__all__ = ["Trainer", "TrainingTexts"]


class Trainer:
    """One compiled model, trained for one or several phases of different length.

    The training step is traced once: each `run` starts from the model's current weights with a
    fresh optimizer, schedule and random state.

    Args:
        model: The model; compiled here.
        phase: Epochs, learning rate and batch size.
        optimizer: Settings of AdamW.
        seed: Seed of the order of texts, of dropout and of corrupted labels.
        soft: Whether texts are taught probabilities of the classes in place of a class each.
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
        parts = phase.gradient_accumulation_steps
        # The length is set by each run.
        schedule = WarmupLinearDecay(phase.learning_rate, 1, optimizer.warmup_ratio, parts)
        adam = adamw(schedule, optimizer.weight_decay, optimizer.clip_norm, parts)
        training.compile_to_learn(model, adam, soft=soft)

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
            WorkerError: Not all workers of a distributed run see the same `checkpoint`.
        """
        seed = training.stable_seed(self.seed, name)
        session = TrainingSession(self.model, self.phase, seed, name, texts, checkpoint, on_chunk)
        training.begin(self.model, session.total, seed)
        session.resume()
        with preemption.deferred(), session.under_way():
            for epoch in range(session.first_epoch, self.phase.epochs):
                for batches in session.chunks(epoch):
                    session.fit(batches)
                if session.awaits_validation():
                    session.validate()
            session.finish()
        return session.history
