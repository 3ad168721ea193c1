"""The state of an unfinished training on disk, so that a killed one goes on where it stood."""

import logging
from pathlib import Path

import keras
import numpy as np

from easymft import files
from easymft.errors import InputError
from easymft.methods.best_weights import BestParts, BestWeights
from easymft.models import AdaptedTextClassifier

logger = logging.getLogger(__name__)

History = list[dict[str, float]]


class Checkpoint:
    """A folder with weights, optimizer, random states, history and weights of the texts.

    Args:
        folder: Where; it is there while a training is unfinished, and always whole.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def save(
        self,
        model: keras.Model,
        history: History,
        sample_weight: np.ndarray | None,
        parts: int = 1,
    ) -> None:
        """Write the state of a compiled model's training, in the place of an earlier one.

        Args:
            model: The model.
            history: Of its training.
            sample_weight: Weights of its texts, if they have any.
            parts: In how many parts it computes a step, which the optimizer's state depends on.
        """
        with files.staged(self.folder) as folder:
            folder.mkdir()
            model.save_weights(folder / "state.weights.h5")
            files.write_json(folder / "history.json", history)
            files.write_json(folder / "parts.json", parts)
            if sample_weight is not None:
                np.save(folder / "sample_weight.npy", sample_weight, allow_pickle=False)

    def restore(self, model: keras.Model) -> tuple[History, np.ndarray | None] | None:
        """Give a compiled model the state kept here; return its history and weights of the texts.

        Returns:
            What `save` was given; `None` where nothing is kept.

        Raises:
            InputError: The state is damaged.
        """
        if not self.exists:
            return None
        weights = self.folder / "sample_weight.npy"
        try:
            model.load_weights(self.folder / "state.weights.h5")
            history = files.read_json(self.folder / "history.json")
            saved = np.load(weights, allow_pickle=False) if weights.exists() else None
        except (OSError, ValueError, KeyError) as error:
            message = "the state of an interrupted training is damaged; remove it to train anew"
            raise InputError(message, file=self.folder) from error
        return history, saved

    @property
    def exists(self) -> bool:
        """Whether a state is kept here."""
        return self.folder.exists()

    @property
    def parts(self) -> int | None:
        """In how many parts the training kept here computes a step; `None` where none is kept.

        An earlier version kept only what had as many as the recipe says: `None` too.
        """
        path = self.folder / "parts.json"
        return files.read_json(path) if path.exists() else None

    def best(self, model: keras.Model) -> BestWeights | BestParts:
        """Return the best weights of a model so far, or parts of each domain."""
        kind = BestParts if isinstance(model, AdaptedTextClassifier) else BestWeights
        return kind(self._best_folder)

    @property
    def _best_folder(self) -> Path:
        return self.folder.with_name(f"{self.folder.stem}.best{self.folder.suffix}")

    def discard(self) -> None:
        """Remove the state, once what was trained is safe elsewhere."""
        files.remove(self._best_folder)
        files.remove(self.folder)
