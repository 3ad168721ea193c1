"""The epoch that did best on the development texts, kept while a training goes on."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from easymft import files
from easymft.models import AdaptedTextClassifier

Figures = Mapping[str, float]
"""What validation found: an entry of a training's history."""


class BestWeights:
    """A folder with the best weights so far and what they reached; it outlives a kill.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def offer(self, model: keras.Model, figures: Figures, step: int) -> None:
        """Keep the model's weights if they are the first or reach a higher accuracy."""
        # Averaged over domains where the model tells them apart.
        name = "dev_average_accuracy" if "dev_average_accuracy" in figures else "dev_accuracy"
        accuracy = figures[name]
        if self.folder.exists() and accuracy <= self._facts()["accuracy"]:
            return
        with files.staged(self.folder) as folder:
            folder.mkdir()
            np.savez(folder / "weights.npz", *model.get_weights())
            files.write_json(folder / "facts.json", {"accuracy": accuracy, "step": step})

    def give_to(self, model: keras.Model) -> list[int]:
        """Set the model's weights to the best; return the step they are of, none if none."""
        if not self.folder.exists():
            return []
        with np.load(self.folder / "weights.npz", allow_pickle=False) as arrays:
            model.set_weights([arrays[name] for name in arrays])
        return [int(self._facts()["step"])]

    def _facts(self) -> dict[str, float]:
        return files.read_json(self.folder / "facts.json")


class BestParts:
    """As `BestWeights`, but each domain keeps the parts of the epoch that was best for itself.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def offer(self, model: AdaptedTextClassifier, figures: Figures, step: int) -> None:
        """Keep the parts of each domain that are its first or reach a higher accuracy."""
        found = [figures[f"dev_accuracy_domain_{k}"] for k in range(model.num_domains)]
        accuracy, best = np.array(found), model.tables()
        steps = np.full(len(found), step)
        if self.folder.exists():
            with np.load(self.folder / "parts.npz", allow_pickle=False) as kept:
                same = accuracy <= kept["accuracy"]
                accuracy = np.where(same, kept["accuracy"], accuracy)
                steps = np.where(same, kept["steps"], steps)
                for name, table in best.items():
                    table = np.array(table)
                    table[same] = kept[name][same]
                    best[name] = table
        with files.staged(self.folder) as folder:
            folder.mkdir()
            np.savez(folder / "parts.npz", accuracy=accuracy, steps=steps, **best)  # type: ignore[arg-type]

    def give_to(self, model: AdaptedTextClassifier) -> list[int]:
        """Give each domain its best parts; return the steps they are of, ascending."""
        if not self.folder.exists():
            return []
        with np.load(self.folder / "parts.npz", allow_pickle=False) as kept:
            model.set_tables({name: kept[name] for name in model.tables()})
            return sorted(set(kept["steps"].tolist()))
