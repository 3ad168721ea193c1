"""What models make of texts that they did not learn from."""

import dataclasses
from collections.abc import Iterator

import numpy as np


@dataclasses.dataclass(frozen=True)
class Judgements:
    """Out-of-fold probabilities and typicalities of every class.

    Attributes:
        probabilities: float `(texts, classes)`; 0 for a class that a text's domain does not have.
        typicalities: float `(texts, classes)`, each text as one of each class, in the encoder of
            the model that did not learn from it; `-inf` for such a class.
        words: As `probabilities`, of a model of words alone; `None`: there is none.
    """

    probabilities: np.ndarray
    typicalities: np.ndarray
    words: np.ndarray | None = None

    @classmethod
    def none(cls, texts: int, classes: int) -> "Judgements":
        """Return those of texts that nobody has judged yet, to be filled in."""
        return cls(np.zeros((texts, classes)), np.zeros((texts, classes)))

    def put(self, places: np.ndarray, probabilities: np.ndarray, typicalities: np.ndarray) -> None:
        """Fill in the judgements of some texts."""
        self.probabilities[places] = probabilities
        self.typicalities[places] = typicalities

    def margins(self, labels: np.ndarray) -> np.ndarray:
        """Return by how much a text is more typical of its label than of any other class.

        Args:
            labels: int `(texts,)`.

        Returns:
            float `(texts,)`; below 0 where another class fits better.
        """
        places, others = np.arange(len(labels)), self.typicalities.copy()
        others[places, labels] = -np.inf
        return self.typicalities[places, labels] - others.max(axis=1)


def folds(cells: np.ndarray, groups: np.ndarray, number: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the places of each fold, stratified by cell as far as there are enough texts.

    Texts of a group stand in one fold: a model that learned from a text's repetition would answer
    by heart.

    Args:
        cells: int `(texts,)`, domain and class.
        groups: int `(texts,)`, equal for texts that are the same.
        number: Of folds.
        seed: Of the deal.
    """
    _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    random = np.random.Generator(np.random.PCG64([seed, number]))
    mixed = random.permutation(len(first))
    dealt = mixed[np.argsort(cells[first][mixed], kind="stable")]
    fold_of = np.empty(len(first), int)
    fold_of[dealt] = np.arange(len(dealt)) % number
    for fold in range(number):
        yield np.flatnonzero(fold_of[group_of] == fold)
