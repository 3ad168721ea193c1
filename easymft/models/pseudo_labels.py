"""Labels that a model gives to texts without: how sure they are, and which are worth learning from.

Reference: Lee: Pseudo-label, ICML workshop 2013. The choice by typicality, and weights by it, are
our own.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

import keras
import numpy as np

from easymft.data.batches.tokenized_texts import TokenizedTexts
from easymft.layers import TypicalityWeighting
from easymft.models.inference import predict
from easymft.models.scoring import CHUNK
from easymft.models.text_embedder import TextEmbedder

ChooseBy = Literal["typicality", "confidence"]
WeightBy = Literal["none", "typicality", "confidence"]


@dataclasses.dataclass(frozen=True)
class PseudoLabels:
    """What a model makes of texts without labels.

    Attributes:
        rows: int `(n,)`, rows of the tokens.
        labels: int32 `(n,)`, the most probable class.
        probabilities: float32 `(n, classes)`, those of all.
        typicality: float32 `(n,)`, typicality as a text of that class.
        margin: float32 `(n,)`, by how much that exceeds the typicality as one of any other class.
    """

    rows: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    typicality: np.ndarray
    margin: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """Return the probability of the most probable class, float32 `(n,)`."""
        return self.probabilities.max(axis=1)

    def take(self, places: np.ndarray) -> "PseudoLabels":
        """Return those at the given places, in that order."""
        return PseudoLabels(*(value[places] for value in vars(self).values()))

    def weights(self, by: WeightBy) -> np.ndarray:
        """Return what each text counts in the loss, float32 `(n,)` of mean 1.

        Args:
            by: In proportion to what; a negative typicality counts as 0.
        """
        if by == "none":
            return np.ones(len(self.rows), np.float32)
        weights = np.maximum(getattr(self, by), 0).astype(np.float32)
        return weights / weights.mean() if weights.any() else np.ones_like(weights)


def label(
    model: Any,
    tokens: TokenizedTexts,
    labeled: np.ndarray,
    unlabeled: np.ndarray,
    layer: TypicalityWeighting,
) -> PseudoLabels:
    """Label texts without labels.

    Typicality is that in the model's own encoder, of centroids that labelled texts have there.

    Args:
        model: A `TextClassifier` that has learned the labels.
        tokens: The texts.
        labeled: int `(m,)`, rows of those with labels.
        unlabeled: int `(n,)`, rows of those without.
        layer: Scores; its centroids are made anew.
    """
    parts = [
        of_scores(*scores) for scores in class_scores(model, tokens, labeled, unlabeled, layer)
    ]
    columns = (
        np.concatenate([getattr(part, field.name) for part in parts])
        for field in dataclasses.fields(PseudoLabels)
    )
    return PseudoLabels(*columns)


def class_scores(
    model: Any,
    tokens: TokenizedTexts,
    labeled: np.ndarray,
    asked: np.ndarray,
    layer: TypicalityWeighting,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield, chunk by chunk, rows of `asked`, their probabilities and typicalities by class.

    Args:
        model: A `TextClassifier` that has learned the labels.
        tokens: The texts.
        labeled: int `(m,)`, rows of those that centroids are made of.
        asked: int `(n,)`, rows of those that are scored; their labels are not looked at.
        layer: Scores; its centroids are made anew.

    Yields:
        Rows, and `(rows, classes)` float32 twice; the typicality of a class that the text's domain
        does not have is `-inf`.
    """
    embedder, labels = TextEmbedder(model), np.asarray(tokens.labels)
    domains = np.asarray(tokens.domains)
    layer.adapt(
        (embeddings, labels[part], domains[part])
        for part, embeddings in _embedded(embedder, "labelled", tokens, labeled)
    )
    for part, embeddings in _embedded(embedder, "other", tokens, asked):
        logits = model.logits_of(embeddings, {"domain": domains[part]})
        probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        typicalities = class_typicalities(layer, embeddings, domains[part], model.num_classes)
        if model.allowed is not None:
            typicalities[~np.asarray(model.allowed)[domains[part]]] = -np.inf
        yield part, probabilities, typicalities


def class_typicalities(
    layer: TypicalityWeighting, embeddings: np.ndarray, domains: np.ndarray, num_classes: int
) -> np.ndarray:
    """Return how typical texts would be of each class, `(texts, classes)` float32.

    Args:
        layer: Has its centroids.
        embeddings: E(x), `(texts, hidden)`.
        domains: int `(texts,)`.
        num_classes: Number of classes.
    """
    scores = [
        layer.raw_scores(embeddings, np.full(len(embeddings), code), domains)
        for code in range(num_classes)
    ]
    return np.stack([keras.ops.convert_to_numpy(own) for own in scores], axis=1)


def _embedded(
    embedder: TextEmbedder, kind: str, tokens: TokenizedTexts, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows and their embeddings, chunk by chunk: the bound on memory."""
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        yield part, predict(embedder, f"looking at {kind} texts", tokens, part)


def of_scores(
    rows: np.ndarray, probabilities: np.ndarray, typicalities: np.ndarray
) -> PseudoLabels:
    """Return the pseudo-labels that scores amount to.

    Args:
        rows: int `(n,)`.
        probabilities: float32 `(n, classes)`.
        typicalities: float32 `(n, classes)`, as a text of each class.
    """
    labels, places = probabilities.argmax(axis=1), np.arange(len(rows))
    own, others = typicalities[places, labels], typicalities.copy()
    others[places, labels] = -np.inf
    margin = own - others.max(axis=1)
    return PseudoLabels(rows, labels.astype(np.int32), probabilities, own, margin)


def choose(
    guesses: PseudoLabels, domains: np.ndarray, counts: np.ndarray, by: ChooseBy, share: float
) -> PseudoLabels:
    """Return the surest guesses of every domain and class.

    A domain gets a share of its texts, its classes in the proportions that they have among its
    labelled texts (among all labelled texts, if it has none), or all of a class where they are
    fewer.

    Args:
        guesses: Of all texts without labels.
        domains: int `(n,)`, their domains.
        counts: `(domains, classes)`, numbers of labelled texts.
        by: What is sure: "typicality", by its margin; or "confidence".
        share: Of each domain's texts.
    """
    sure = guesses.margin if by == "typicality" else guesses.confidence
    counts = np.where(counts.sum(axis=1, keepdims=True) > 0, counts, counts.sum(axis=0))
    shares = counts / counts.sum(axis=1, keepdims=True)
    chosen = []
    for domain, own_shares in enumerate(shares):
        room = share * np.count_nonzero(domains == domain)
        for code, own_share in enumerate(own_shares):
            own = np.flatnonzero((domains == domain) & (guesses.labels == code))
            surest = own[np.argsort(-sure[own], kind="stable")]
            chosen.append(surest[: int(room * own_share + 0.5)])
    return guesses.take(np.sort(np.concatenate(chosen)))


def cell_counts(
    tokens: TokenizedTexts, rows: np.ndarray, num_domains: int, num_classes: int
) -> np.ndarray:
    """Return numbers of labelled texts by domain and class, `(domains, classes)`."""
    cells = np.asarray(tokens.domains)[rows] * num_classes + np.asarray(tokens.labels)[rows]
    counts = np.bincount(cells, minlength=num_domains * num_classes)
    return counts.reshape(num_domains, num_classes)
