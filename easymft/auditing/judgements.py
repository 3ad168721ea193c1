"""What models make of texts that they did not learn from."""

import dataclasses

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
