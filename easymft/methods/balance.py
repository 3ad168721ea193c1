"""Texts of rare classes and small domains count, or come, more often."""

import numpy as np

from easymft.config import Phase


def class_weights(labels: np.ndarray) -> np.ndarray:
    """Return the weight of each text in the loss that makes classes even: `(n,)` float32 of mean 1.

    It is n / (M * n_m) for a text of class m of the M that occur (King & Zeng: Logistic regression
    in rare events data, 2001; "balanced" in scikit-learn).
    """
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return (len(labels) / (len(counts) * counts[classes])).astype(np.float32)


def groups(labels: np.ndarray, domains: np.ndarray, phase: Phase) -> np.ndarray | None:
    """Return the group of each text for `Batches`: its class, domain or both, or `None`."""
    keys = []
    if phase.domain_balance == "batch":
        keys.append(domains)
    if phase.class_balance == "batch":
        keys.append(labels)
    if not keys:
        return None
    _, codes = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)
    return codes.reshape(-1)
