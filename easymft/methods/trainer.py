"""Runs Keras' own `fit` in short legs, so that a killed run goes on where it stood."""

import functools
import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from easymft.config import Optimizer, Phase
from easymft.data.batches.batches import Batches, bucket_lengths
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.devices import preemption
from easymft.devices.distribution import Distribution, jit_compile
from easymft.devices.freed_memory import KeepFreedMemory
from easymft.errors import InputError, WorkerError
from easymft.files import read_json, remove, staged, write_json
from easymft.methods.stop_when_asked import StopWhenAsked
from easymft.models import TextClassifier, WarmupLinearDecay, adamw, use_cpu_kernels
from easymft.models.lora import lora_state, set_lora_state
from easymft.progress import progress_bar

logger = logging.getLogger(__name__)

# A leg is one call of `fit`. Short enough that little is lost between checkpoints, long enough
# that starting `fit` costs nothing.
LEG_STEPS = 50
CHECKPOINT_SECONDS = 180.0  # least time between two checkpoints


class Trainer:
    """One compiled model, trained for one or several phases of different length.

    The training step is traced once: each `run` starts from the model's current weights with a
    fresh optimizer, schedule and random state.

    Args:
        model: The model; compiled here.
        phase: Epochs, learning rate and batch size.
        optimizer: Settings of AdamW.
        seed: Seed of the order of texts, of dropout and of corrupted labels.
    """

    def __init__(self, model: TextClassifier, phase: Phase, optimizer: Optimizer, seed: int):
        self.model = model
        self.phase = phase
        self.seed = seed
        # The length is set by each run.
        parts = phase.gradient_accumulation_steps
        self._schedule = WarmupLinearDecay(phase.learning_rate, 1, optimizer.warmup_ratio, parts)
        adam = adamw(self._schedule, optimizer.weight_decay, optimizer.clip_norm, parts)
        use_cpu_kernels(model)
        model.compile(
            adam,
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=jit_compile(),
        )
        adam.build(model.trainable_variables)

    def run(
        self,
        name: str,
        tokens: TokenizedTexts,
        rows: np.ndarray,
        checkpoint: Path,
        sample_weight: np.ndarray | Callable[[], np.ndarray] | None = None,
        dev_rows: np.ndarray | None = None,
        dev_weight: np.ndarray | None = None,
        on_leg: Callable[[dict[str, float]], None] | None = None,
    ) -> list[dict[str, float]]:
        """Train on `rows`; resume from `checkpoint` if it is there. See `discard` for afterwards.

        Args:
            name: Of this phase and domain: shown, and mixed into the seed.
            tokens: The tokenized corpus.
            rows: Training rows of `tokens`.
            checkpoint: Folder of the state of an unfinished run.
            sample_weight: One weight per entry of `rows`, e.g. the typicality; `None`: all 1. A
                function is called for them at the start of every epoch.
            dev_rows: Rows evaluated after every `phase.validation_freq` epochs.
            dev_weight: One weight per entry of `dev_rows`, for the evaluation loss.
            on_leg: Is told every entry of the history as it is made.

        Returns:
            The history: one dict per leg with `step`, `epoch`, `learning_rate` and Keras' training
            logs, and `dev_...` figures at the end of the epochs that `validation_freq` picks.

        Raises:
            Stopped: The program was asked to stop; the state is in `checkpoint`.
            WorkerError: Not all workers of a distributed run see the same `checkpoint`.
        """
        seed, parts = _stable_seed(self.seed, name), self.phase.gradient_accumulation_steps
        of_phase = functools.partial(
            Batches,
            tokens,
            batch_size=self.phase.batch_size,
            buckets=bucket_lengths(bool(jit_compile())),
        )
        batches = of_phase(rows, seed=seed, parts=parts)
        dev, validation_freq = None, self.phase.validation_freq
        if validation_freq and dev_rows is not None and len(dev_rows):
            dev = of_phase(dev_rows, sample_weight=dev_weight)
        per_epoch = batches.steps_per_epoch
        total = per_epoch * self.phase.epochs
        self._reset(seed, total)
        weights = None if callable(sample_weight) else sample_weight
        history = []
        if checkpoint.exists():
            history, weights = self._restore(checkpoint)
        distribution, saved_at = Distribution.current(), time.monotonic()
        if distribution.sum(self.step) != self.step * distribution.workers:
            raise WorkerError("the workers see different states of this training")
        stop = StopWhenAsked(distribution, parts)

        def awaits_dev() -> bool:
            if dev is None or not history or history[-1]["step"] % (per_epoch * validation_freq):
                return False
            return "dev_loss" not in history[-1]

        with preemption.deferred(), progress_bar(name, total, self.step) as bar:
            try:
                while self.step < total or awaits_dev():
                    if awaits_dev():  # also where a run was stopped while it looked
                        figures = self._evaluate(dev, [stop])
                        history[-1] |= {} if stop.agreed else figures
                    else:
                        start = self.step
                        if callable(sample_weight) and start % per_epoch == 0:
                            weights = sample_weight()
                        end = min(start + LEG_STEPS, (start // per_epoch + 1) * per_epoch)
                        leg = batches.weighted(weights).span(start, end)
                        history.append(self._leg(leg, per_epoch, [_Progress(bar, parts), stop]))
                    if not awaits_dev():
                        if self.step % per_epoch == 0:
                            logger.info("%s: %s", name, _summary(history[-1], self.phase.epochs))
                        if on_leg is not None:
                            on_leg(history[-1])
                    if stop.ask():
                        raise preemption.Stopped
                    due = time.monotonic() - saved_at >= CHECKPOINT_SECONDS and self.step < total
                    # Reading the state of several workers is a thing that all do together.
                    if distribution.any(due):
                        self._save(checkpoint, history, weights)
                        saved_at = time.monotonic()
            except preemption.Stopped:
                self._save(checkpoint, history, weights)
                logger.info("Stopped at step %d, as asked; the state is saved.", self.step)
                raise
        return history

    def _leg(self, batches: Batches, per_epoch: int, callbacks: list[Any]) -> dict[str, float]:
        logs = self.model.fit(
            batches.to_keras(),
            steps_per_epoch=len(batches),
            shuffle=False,
            verbose=0,
            callbacks=[*callbacks, KeepFreedMemory()],
        ).history
        entry = {"step": self.step, "epoch": self.step / per_epoch}
        entry["learning_rate"] = self.model.optimizer.learning_rate
        entry |= {key: values[-1] for key, values in logs.items()}
        return {key: float(value) for key, value in entry.items()}

    def _evaluate(self, dev: Batches, callbacks: list[Any]) -> dict[str, float]:
        figures = self.model.evaluate(
            dev.to_keras(),
            steps=len(dev),
            verbose=0,
            return_dict=True,
            callbacks=[*callbacks, KeepFreedMemory()],
        )
        return {f"dev_{key}": float(value) for key, value in figures.items()}

    @property
    def step(self) -> int:
        """Training steps done in this run."""
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))

    def _reset(self, seed: int, total_steps: int) -> None:
        """Forget the optimizer's moments and steps; start the schedule and random state anew."""
        for variable in self.model.optimizer.variables:
            variable.assign(keras.ops.zeros(variable.shape, dtype=variable.dtype))
        self._schedule.total_steps = total_steps
        count = len(self.model.random_states)
        self.model.set_random_states([(seed, index) for index in range(count)])

    def _save(
        self, checkpoint: Path, history: list[dict[str, float]], weights: np.ndarray | None
    ) -> None:
        with staged(checkpoint) as folder:
            folder.mkdir()
            self.model.save_weights(folder / "state.weights.h5")
            if lora := lora_state(self.model):
                np.savez(folder / "lora.npz", **lora)
            write_json(folder / "history.json", history)
            if weights is not None:
                np.save(folder / "sample_weight.npy", weights, allow_pickle=False)

    def _restore(self, checkpoint: Path) -> tuple[list[dict[str, float]], np.ndarray | None]:
        weights = checkpoint / "sample_weight.npy"
        try:
            self.model.load_weights(checkpoint / "state.weights.h5")
            if (lora := checkpoint / "lora.npz").exists():
                with np.load(lora, allow_pickle=False) as state:
                    set_lora_state(self.model, state)
            history = read_json(checkpoint / "history.json")
            saved = np.load(weights, allow_pickle=False) if weights.exists() else None
        except (OSError, ValueError, KeyError) as error:
            message = "the state of an interrupted training is damaged; remove it to train anew"
            raise InputError(message, file=checkpoint) from error
        logger.info("Resuming at step %d.", self.step)
        return history, saved


def discard(checkpoint: Path) -> None:
    """Remove the state of a run whose result is safe elsewhere."""
    remove(checkpoint)


def _stable_seed(seed: int, name: str) -> int:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "little") >> 1


class _Progress(keras.callbacks.Callback):
    def __init__(self, bar: Any, parts: int):
        super().__init__()
        self.bar, self.parts = bar, parts

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.bar.update((batch + 1) % self.parts == 0)
        if logs:
            self.bar.set_postfix(loss=f"{float(logs['loss']):.3f}", refresh=False)


def _summary(entry: dict[str, float], epochs: int) -> str:
    text = f"epoch {entry['epoch']:.0f} of {epochs}, loss {entry['loss']:.3f}"
    if "dev_loss" in entry:
        text += f", dev loss {entry['dev_loss']:.3f}"
    if "dev_average_accuracy" in entry:
        text += f", dev accuracy {entry['dev_average_accuracy']:.1%}"
    return text
