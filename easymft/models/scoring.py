"""Typicality of tokenized texts, by the encoder of a model."""

import tempfile
from collections.abc import Iterator, Mapping

import keras
import numpy as np

from easymft.data.batches.tokenized_texts import TokenizedTexts
from easymft.layers import TypicalityWeighting
from easymft.models.inference import predict

CHUNK = 65_536  # texts embedded at a time: the bound on memory


def scores(
    embedder: keras.Model,
    tokens: TokenizedTexts,
    splits: Mapping[str, np.ndarray],
    layer: TypicalityWeighting,
) -> dict[str, np.ndarray]:
    """Return the typicality, not clipped, of every split's texts.

    The centroids are those of the training texts.

    The encoder runs once over all texts; their embeddings wait in a temporary file until the
    centroids are known.

    Args:
        embedder: Gives E(x); see `easymft.models.TextEmbedder`.
        tokens: The tokenized corpus.
        splits: Rows of `tokens` by split, "train" first.
        layer: Scores; its centroids are made anew.

    Returns:
        `(len(splits[name]),)` float32 for each split.
    """
    parts = list(splits.values())
    rows = np.concatenate(parts)
    labels, domains = np.asarray(tokens.labels)[rows], np.asarray(tokens.domains)[rows]
    chunks = [slice(start, start + CHUNK) for start in range(0, len(rows), CHUNK)]
    with tempfile.TemporaryFile() as file:

        def of_training() -> Iterator[tuple[np.ndarray, ...]]:
            for chunk in chunks:
                embeddings = predict(embedder, "typicality", tokens, rows[chunk])
                np.save(file, embeddings, allow_pickle=False)
                if (count := len(parts[0]) - chunk.start) > 0:
                    yield embeddings[:count], labels[chunk][:count], domains[chunk][:count]

        layer.adapt(of_training())
        file.seek(0)
        raw = np.concatenate(
            [
                keras.ops.convert_to_numpy(
                    layer.raw_scores(np.load(file), labels[chunk], domains[chunk])
                )
                for chunk in chunks
            ]
        )
    return dict(zip(splits, np.split(raw, np.cumsum([len(p) for p in parts])[:-1]), strict=True))
