"""Cross-fitting on a frozen encoder: logistic regressions, shrunk towards what domains share."""

from collections.abc import Sequence

import numpy as np
from scipy.special import softmax

from easymft.auditing.judgements import Judgements
from easymft.config import MFT
from easymft.methods import logistic, typicality
from easymft.models.pseudo_labels import class_typicalities
from easymft.progress import progress_bar


def cross_fit(
    embeddings: np.ndarray,
    labels: np.ndarray,
    domains: np.ndarray,
    held_out: Sequence[np.ndarray],
    shape: tuple[int, int],
    mft: MFT,
) -> Judgements:
    """Return what heads make of texts that they were not fitted to.

    How they are shrunk is chosen once, on all texts: two numbers, of which one text tells nothing.

    Args:
        embeddings: E(x), `(texts, hidden)` float.
        labels: int `(texts,)`.
        domains: int `(texts,)`.
        held_out: The places of each fold.
        shape: Numbers of domains and of classes.
        mft: How typicality is computed.
    """
    num_domains, num_classes = shape
    whole, *_ = logistic.standardized(embeddings)
    shrinkage = logistic.best_shrinkage(whole, labels, domains, num_classes, num_domains)
    layer, judged = (
        typicality.weighting(num_classes, num_domains, mft),
        Judgements.none(len(labels), num_classes),
    )
    with progress_bar("cross-fitting", len(held_out), unit="fold") as bar:
        for fold in held_out:
            train = np.setdiff1d(np.arange(len(labels)), fold)
            answers = head_probabilities(
                embeddings, labels, domains, (train, fold), shape, shrinkage
            )
            layer.adapt(embeddings[train], labels[train], domains[train])
            typicalities = class_typicalities(layer, embeddings[fold], domains[fold], num_classes)
            judged.put(fold, answers, typicalities)
            bar.update()
    return judged


def head_probabilities(
    embeddings: np.ndarray,
    labels: np.ndarray,
    domains: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
    shape: tuple[int, int],
    shrinkage: logistic.Shrinkage | None = None,
) -> np.ndarray:
    """Return class probabilities of texts, by heads of their domains fitted to others.

    Args:
        embeddings: E(x), `(texts, hidden)` float.
        labels: int `(texts,)`.
        domains: int `(texts,)`.
        places: Of the texts that are learned from, and of those that are asked.
        shape: Numbers of domains and of classes.
        shrinkage: See `logistic.fit_domain_heads`.

    Returns:
        `(asked texts, classes)` float.
    """
    train, asked = places
    num_domains, num_classes = shape
    features, mean, deviation = logistic.standardized(embeddings[train])
    heads = logistic.fit_domain_heads(
        *(features, labels[train], domains[train], num_classes, num_domains),
        shrinkage=shrinkage,
    )
    features = (embeddings[asked] - mean) / deviation
    logits = np.empty((len(asked), num_classes))
    for code, head in enumerate(heads):
        own = domains[asked] == code
        logits[own] = features[own] @ head.kernel + head.bias
    return softmax(logits, axis=1)
