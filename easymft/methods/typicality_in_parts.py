"""Typicality of more texts than one process holds: sums of each part, all added up, then scores."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from easymft.config import MFT, Config
from easymft.data.batches.tokenized import tokenized
from easymft.data.corpus.lists import unlabelled
from easymft.devices.machine import precision_policy
from easymft.methods.typicality import weighting
from easymft.models import TextClassifier, TextEmbedder, load_backbone, load_preprocessor
from easymft.models.inference import predict

Cell = tuple[str, str]  # domain and label
Sums = dict[Cell, tuple[np.ndarray, int]]
"""Sum of the embeddings of each cell, `(hidden,)` float64, and their number."""


class TextEncoder:
    """From texts to their E(x), by the encoder as it was pre-trained.

    Args:
        config: The recipe: encoder, pooling, length and precision.
    """

    def __init__(self, config: Config):
        preset, precision = config.backbone.preset, precision_policy(config.precision)
        encoder = load_backbone(preset, dtype=precision)
        self._model = TextEmbedder(TextClassifier(encoder, 1, embedding=config.backbone.pooling))
        self._preprocessor = load_preprocessor(preset, config.backbone.max_length)

    def __call__(self, columns: Mapping[str, Sequence[str]]) -> np.ndarray:
        """Return embeddings, `(texts, hidden)` float32.

        Args:
            columns: Lists by role: `text`, and `text_pair` for pairs of texts.
        """
        corpus, _ = unlabelled(columns)
        with tokenized(corpus, self._preprocessor) as tokens:
            return np.asarray(predict(self._model, "embed", tokens, np.arange(len(corpus))))


def cell_sums(embeddings: np.ndarray, domains: Sequence[str], labels: Sequence[str]) -> Sums:
    """Return the sums of a part's embeddings.

    Args:
        embeddings: `(texts, hidden)`.
        domains: The texts' domains.
        labels: The texts' classes.
    """
    rows: dict[Cell, list[int]] = {}
    for row, cell in enumerate(zip(domains, labels, strict=True)):
        rows.setdefault(cell, []).append(row)
    return {
        cell: (embeddings[own].astype(np.float64).sum(axis=0), len(own))
        for cell, own in rows.items()
    }


def added_up(parts: Iterable[Sums]) -> Sums:
    """Return the sums of all parts together; in one order of the parts they are the same bits."""
    total: Sums = {}
    for part in parts:
        for cell, (own, count) in part.items():
            before, counted = total.get(cell, (0.0, 0))
            total[cell] = (before + own, counted + count)
    return total


class CellScorer:
    """Scores texts beside the centroids of all.

    Args:
        cells: The sums of all texts.
        mft: How a recipe sets the scores.
    """

    def __init__(self, cells: Sums, mft: MFT):
        self._domains, self._labels = (
            {name: code for code, name in enumerate(sorted({cell[place] for cell in cells}))}
            for place in (0, 1)
        )
        (width,) = next(iter(cells.values()))[0].shape
        self._layer = weighting(len(self._labels), len(self._domains), mft)
        self._layer.build((None, width))
        sums, counts = np.zeros(self._layer.sums.shape), np.zeros(self._layer.counts.shape)
        for (domain, label), (own, count) in cells.items():
            place = self._domains[domain], self._labels[label]
            sums[place], counts[place] = own, count
        self._layer.sums.assign(sums)
        self._layer.counts.assign(counts)
        self._layer.finalize()

    def __call__(
        self, embeddings: np.ndarray, domains: Sequence[str], labels: Sequence[str]
    ) -> np.ndarray:
        """Return typicalities, clipped as the losses clip them, `(texts,)` float32."""
        scores = self._layer(
            embeddings,
            np.array([self._labels[label] for label in labels]),
            np.array([self._domains[domain] for domain in domains]),
        )
        return np.asarray(scores)
