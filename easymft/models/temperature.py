"""Temperatures that make a model as sure as it is right, few texts or many."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

# Standard deviations, of logarithms: how far a domain's temperature is from the shared one, and
# that from 1, where no text says otherwise.
_DOMAIN, _SHARED = 0.25, 1.0
_LIMIT = 3.0  # of a logarithm: temperatures from 0.05 to 20
_SMALLEST = 1e-30  # of a probability, whose logarithm is to be finite


def fit_temperatures(
    probabilities: np.ndarray, labels: np.ndarray, domains: np.ndarray, num_domains: int
) -> tuple[float, np.ndarray]:
    """Return the temperature of all texts together, and that of each domain, shrunk towards it.

    The shared one minimizes the cross-entropy of the texts, a domain's own that of its texts plus
    (log T_k - log T)^2 / (2 * 0.25^2): the most probable one if the logarithms of the domains'
    temperatures are normally distributed around the shared one. A domain without texts has the
    shared one.

    Args:
        probabilities: `(texts, classes)`, of texts that training did not see.
        labels: `(texts,)` int.
        domains: `(texts,)` int in [0, num_domains).
        num_domains: Number of domains.

    Returns:
        T, and `(num_domains,)` float64; 1 where there is no text at all.
    """
    logits = np.log(np.maximum(probabilities, _SMALLEST))
    shared = _fitted(logits, labels, 0.0, _SHARED)
    own = [
        _fitted(logits[domains == k], labels[domains == k], shared, _DOMAIN)
        for k in range(num_domains)
    ]
    return float(np.exp(shared)), np.exp(np.array(own))


def _fitted(logits: np.ndarray, labels: np.ndarray, prior: float, deviation: float) -> float:
    """Return the logarithm of the most probable temperature."""
    if not len(labels):
        return prior
    rows = np.arange(len(labels))

    def loss(logarithm: float) -> float:
        likelihood = log_softmax(logits / np.exp(logarithm), axis=1)[rows, labels].sum()
        return float((logarithm - prior) ** 2 / (2 * deviation**2) - likelihood)

    return float(minimize_scalar(loss, bounds=(-_LIMIT, _LIMIT), method="bounded").x)
