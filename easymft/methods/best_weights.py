"""The epoch that did best on the development texts, kept while a training goes on."""

from pathlib import Path

import keras
import numpy as np

from easymft import files


class BestWeights:
    """A folder with the best weights so far and what they reached; it outlives a kill.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def offer(self, model: keras.Model, accuracy: float, step: int) -> None:
        """Keep the model's weights if they are the first or reach a higher accuracy."""
        if self.folder.exists() and accuracy <= self._facts()["accuracy"]:
            return
        with files.staged(self.folder) as folder:
            folder.mkdir()
            np.savez(folder / "weights.npz", *model.get_weights())
            files.write_json(folder / "facts.json", {"accuracy": accuracy, "step": step})

    def give_to(self, model: keras.Model) -> int | None:
        """Set the model's weights to the best; return the step they are of, `None` if none."""
        if not self.folder.exists():
            return None
        with np.load(self.folder / "weights.npz", allow_pickle=False) as arrays:
            model.set_weights([arrays[name] for name in arrays])
        return int(self._facts()["step"])

    def discard(self) -> None:
        """Remove what is kept."""
        files.remove(self.folder)

    def _facts(self) -> dict[str, float]:
        return files.read_json(self.folder / "facts.json")
