"""The state of an unfinished training on disk, so that a killed one goes on where it stood."""

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np

from easymft import files
from easymft.errors import InputError
from easymft.methods.best_weights import BestWeights
from easymft.models.lora import lora_state, set_lora_state

logger = logging.getLogger(__name__)

History = list[dict[str, float]]


class Checkpoint:
    """A folder with weights, optimizer, random states, history and weights of the texts.

    Args:
        folder: Where; it is there while a training is unfinished, and always whole.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def save(self, model: keras.Model, history: History, sample_weight: np.ndarray | None) -> None:
        """Write the state of a compiled model's training, in the place of an earlier one."""
        with files.staged(self.folder) as folder:
            folder.mkdir()
            model.save_weights(folder / "state.weights.h5")
            lora: dict[str, Any] = lora_state(model)
            if lora:
                np.savez(folder / "lora.npz", **lora)
            files.write_json(folder / "history.json", history)
            if sample_weight is not None:
                np.save(folder / "sample_weight.npy", sample_weight, allow_pickle=False)

    def restore(self, model: keras.Model) -> tuple[History, np.ndarray | None] | None:
        """Give a compiled model the state kept here; return its history and weights of the texts.

        Returns:
            What `save` was given; `None` where nothing is kept.

        Raises:
            InputError: The state is damaged.
        """
        if not self.folder.exists():
            return None
        weights = self.folder / "sample_weight.npy"
        try:
            model.load_weights(self.folder / "state.weights.h5")
            if (lora := self.folder / "lora.npz").exists():
                with np.load(lora, allow_pickle=False) as state:
                    set_lora_state(model, state)
            history = files.read_json(self.folder / "history.json")
            saved = np.load(weights, allow_pickle=False) if weights.exists() else None
        except (OSError, ValueError, KeyError) as error:
            message = "the state of an interrupted training is damaged; remove it to train anew"
            raise InputError(message, file=self.folder) from error
        return history, saved

    @property
    def best(self) -> BestWeights:
        """The best weights so far, in a folder beside this one."""
        return BestWeights(self.folder.with_name(f"{self.folder.stem}.best{self.folder.suffix}"))

    def discard(self) -> None:
        """Remove the state, once what was trained is safe elsewhere."""
        self.best.discard()
        files.remove(self.folder)
