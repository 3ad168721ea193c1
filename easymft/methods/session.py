"""One training under way: where it stands, and how it goes on from there after a kill."""

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from easymft import preemption
from easymft.config import Phase
from easymft.data.batches.batches import Batches, bucket_lengths
from easymft.data.batches.masked import MaskedBatches, Masking
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.devices.distribution import Distribution
from easymft.devices.faults import no_room_told
from easymft.devices.freed_memory import KeepFreedMemory
from easymft.devices.machine import jit_compile
from easymft.errors import WorkerError
from easymft.methods import balance
from easymft.methods.callbacks import ShowProgress, StopWhenAsked
from easymft.methods.checkpoint import Checkpoint, History
from easymft.models.seeded_model import SeededModel
from easymft.progress import progress_bar

logger = logging.getLogger(__name__)

# Steps of one call of `fit`: few enough that little is lost between checkpoints, so many that
# starting `fit` costs nothing.
CHUNK_STEPS = 50
CHECKPOINT_SECONDS = 180.0  # least time between two checkpoints

OnChunk = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class TrainingTexts:
    """The texts of one training.

    Attributes:
        tokens: The tokenized corpus.
        rows: int `(n,)`, rows of `tokens` to train on.
        sample_weight: float `(n,)`, e.g. the typicality; `None`: all 1. A function is called for
            them at the start of every epoch.
        dev_rows: Rows to validate on; `None`: none.
        dev_weight: One weight per entry of `dev_rows`, for the validation loss.
        targets: float `(n, classes)`, what `rows` are taught in place of their labels; the model
            is then compiled for such targets, and validated on dev labels written like them.
        masking: How tokens are hidden, for a model that is to tell them; labels then say nothing.
    """

    tokens: TokenizedTexts
    rows: np.ndarray
    sample_weight: np.ndarray | Callable[[], np.ndarray] | None = None
    dev_rows: np.ndarray | None = None
    dev_weight: np.ndarray | None = None
    targets: np.ndarray | None = None
    masking: Masking | None = None

    @property
    def dev_targets(self) -> np.ndarray | None:
        """Dev labels as the model takes them, `(dev texts, classes)`; `None`: as codes."""
        if self.targets is None or self.dev_rows is None:
            return None
        labels = self.tokens.labels[self.dev_rows]
        return keras.utils.to_categorical(labels, self.targets.shape[1])


class TrainingSession:
    """One run of a compiled model over its texts: where it stands, and how it goes on from there.

    Args:
        model: Compiled; its optimizer counts the steps.
        phase: Settings of the training.
        seed: Seed of the order of texts.
        name: What the progress bar and the log call it.
        texts: What to train on.
        checkpoint: Where the state is kept while it is unfinished.
        on_chunk: Is told every entry of the history as it is made.
        parts: Batches that make up a step, as the model's optimizer takes them.
    """

    def __init__(
        self,
        model: SeededModel,
        phase: Phase,
        seed: int,
        name: str,
        texts: TrainingTexts,
        checkpoint: Checkpoint,
        on_chunk: OnChunk | None = None,
        parts: int = 1,
    ):
        self.model, self.phase, self.name, self.texts = model, phase, name, texts
        self.seed = seed
        self.checkpoint, self.on_chunk = checkpoint, on_chunk
        kind: Callable[..., Batches] = Batches
        if texts.masking is not None:
            kind = functools.partial(MaskedBatches, masking=texts.masking)
        make = functools.partial(
            kind,
            texts.tokens,
            batch_size=phase.batch_size,
            buckets=bucket_lengths(bool(jit_compile())),
        )
        self.parts = parts
        labels, domains = texts.tokens.labels[texts.rows], texts.tokens.domains[texts.rows]
        groups = balance.groups(labels, domains, phase)
        self.batches = make(
            texts.rows, seed=seed, parts=self.parts, groups=groups, targets=texts.targets
        )
        self.class_weights = (
            balance.class_weights(labels) if phase.class_balance == "loss" else None
        )
        self.dev = None
        if phase.validation_freq and texts.dev_rows is not None and len(texts.dev_rows):
            self.dev = make(
                texts.dev_rows, sample_weight=texts.dev_weight, targets=texts.dev_targets
            )
        self.per_epoch = self.batches.steps_per_epoch
        self.total = self.per_epoch * phase.epochs
        self.history: History = []
        self.weights = None if callable(texts.sample_weight) else texts.sample_weight
        self.distribution, self.saved_at = Distribution.current(), time.monotonic()
        self.stop = StopWhenAsked(self.distribution, self.parts)

    @property
    def step(self) -> int:
        """Training steps done."""
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))

    def resume(self) -> None:
        """Go back to the state that the checkpoint holds, if any.

        Raises:
            WorkerError: Not all workers of a distributed run see the same.
        """
        if kept := self.checkpoint.restore(self.model):
            self.history, self.weights = kept
            logger.info("Resuming at step %d.", self.step)
        step, workers = self.step, self.distribution.workers
        if self.distribution.all_reduce_sum(step) != step * workers:
            raise WorkerError("the workers see different states of this training")

    @property
    def first_epoch(self) -> int:
        """The epoch that is not finished, be it that only its validation is missing."""
        return self.step // self.per_epoch - self.awaits_validation()

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Show the progress while the block runs; save the state if it is asked to stop."""
        with progress_bar(self.name, self.total, self.step) as bar:
            self._show = ShowProgress(bar, self.parts)
            try:
                yield
            except preemption.Stopped:
                self._save()
                logger.info("Stopped at step %d, as asked; the state is saved.", self.step)
                raise

    def chunks(self, epoch: int) -> Iterator[Batches]:
        """Yield what is left of an epoch's batches, a chunk at a time."""
        end = (epoch + 1) * self.per_epoch
        if callable(self.texts.sample_weight) and self.step == epoch * self.per_epoch:
            self.weights = self.texts.sample_weight()
        weighted = self.batches.weighted(self._weights())
        while (step := self.step) < end:
            yield weighted.span(step, min(step + CHUNK_STEPS, end))

    def fit(self, batches: Batches) -> None:
        """Train on one chunk; validation completes the entry of an epoch's last.

        Raises:
            NoRoomError: There is no memory for a step.
        """
        model = self.model
        with no_room_told():
            logs = model.fit(
                batches.to_keras(),
                steps_per_epoch=len(batches),
                shuffle=False,
                verbose=0,
                callbacks=[self._show, self.stop, KeepFreedMemory()],
            ).history
        step = self.step
        entry = {"step": step, "epoch": step / self.per_epoch}
        entry["learning_rate"] = model.optimizer.learning_rate
        entry |= {key: values[-1] for key, values in logs.items()}
        self.history.append({key: float(value) for key, value in entry.items()})
        if not self.awaits_validation():
            self._tell()
        self._pause()

    def awaits_validation(self) -> bool:
        """Return whether an epoch ended that is to be validated and is not yet."""
        if self.dev is None or not self.history:
            return False
        every = self.per_epoch * self.phase.validation_freq
        return self.history[-1]["step"] % every == 0 and "dev_loss" not in self.history[-1]

    def validate(self) -> None:
        """Evaluate on the dev texts and add the figures to the epoch's last entry."""
        if self.dev is None:
            return
        figures = self.model.evaluate(
            self.dev.to_keras(),
            steps=len(self.dev),
            verbose=0,
            return_dict=True,
            callbacks=[self.stop, KeepFreedMemory()],
        )
        if not self.stop.agreed:  # else not all texts were seen
            self.history[-1] |= {f"dev_{key}": float(value) for key, value in figures.items()}
            if self._selects:
                self.checkpoint.best(self.model).offer(self.model, self.history[-1], self.step)
            self._tell()
        self._pause()

    def finish(self) -> None:
        """Give the model the weights of the best epoch, where that is asked for."""
        if self._selects:
            steps = self.checkpoint.best(self.model).give_to(self.model)
            if set(steps) - {self.step}:
                listed = ", ".join(map(str, steps))
                logger.info("%s: the weights of step %s are kept.", self.name, listed)

    @property
    def _selects(self) -> bool:
        # Several workers have no disk in common that holds the best of all of them.
        return self.phase.select_best_on_dev and self.distribution.workers == 1

    def _weights(self) -> np.ndarray | None:
        if self.class_weights is None or self.weights is None:
            return self.weights if self.class_weights is None else self.class_weights
        return self.weights * self.class_weights

    def _tell(self) -> None:
        entry = self.history[-1]
        if entry["step"] % self.per_epoch == 0:
            logger.info("%s: %s", self.name, _summary(entry, self.phase.epochs))
        if self.on_chunk is not None:
            self.on_chunk(entry)

    def _pause(self) -> None:
        """Stop if asked to; else save, if that is due."""
        if self.stop.ask():
            raise preemption.Stopped
        due = time.monotonic() - self.saved_at >= CHECKPOINT_SECONDS
        # Reading the state of several workers is a thing that all do together.
        if self.distribution.any_worker(due and self.step < self.total):
            self._save()
            self.saved_at = time.monotonic()

    def _save(self) -> None:
        self.checkpoint.save(self.model, self.history, self.weights, self.parts)


def _summary(entry: dict[str, Any], epochs: int) -> str:
    text = f"epoch {entry['epoch']:.0f} of {epochs}, loss {entry['loss']:.3f}"
    if "dev_loss" in entry:
        text += f", dev loss {entry['dev_loss']:.3f}"
    if "dev_average_accuracy" in entry:
        text += f", dev accuracy {entry['dev_average_accuracy']:.1%}"
    return text
