"""Cross-fitting on words alone, which tell of classes what a frozen encoder may not."""

from collections.abc import Sequence

import numpy as np

from easymft.methods.tfidf import TfidfClassifier
from easymft.progress import progress_bar


def cross_fit(
    texts: Sequence[np.ndarray],
    labels: np.ndarray,
    cells: np.ndarray,
    held_out: Sequence[np.ndarray],
    num_classes: int,
) -> np.ndarray | None:
    """Return class probabilities of texts, by logistic regressions that were fitted to others.

    Args:
        texts: One object array `(texts,)` a column; see `easymft.methods.tfidf`.
        labels: int `(texts,)`.
        cells: int `(texts,)`, by which the choice of their strength is stratified.
        held_out: The places of each fold.
        num_classes: Number of classes.

    Returns:
        float `(texts, classes)`; `None` where texts have no words.
    """
    found = np.zeros((len(labels), num_classes))
    with progress_bar("cross-fitting words", len(held_out), unit="fold") as bar:
        for fold in held_out:
            train = np.setdiff1d(np.arange(len(labels)), fold)
            model = TfidfClassifier(num_classes, len(texts))
            try:
                model.fit([column[train] for column in texts], labels[train], cells[train])
            except ValueError:  # scikit-learn's, of a vocabulary that is empty
                return None
            found[fold] = model.predict_proba([column[fold] for column in texts])
            bar.update()
    return found
