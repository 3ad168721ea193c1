"""Typicality of a corpus: scores as a recipe sets them, weights, and the texts that stand out."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa

from easymft.config import MFT
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.schema import Corpus
from easymft.data.corpus.splits import Splits
from easymft.files import read_parquet
from easymft.layers import TypicalityWeighting
from easymft.models.inference import predict


def weighting(num_classes: int, num_domains: int, mft: MFT) -> TypicalityWeighting:
    """Return the layer that scores, as a recipe sets it."""
    return TypicalityWeighting(
        num_domains,
        num_classes,
        alpha=mft.alpha,
        variant=mft.typicality_variant,
        clip=mft.clip,
        class_weights=mft.class_weights,
    )


def centroids_of(layer: TypicalityWeighting) -> dict[str, np.ndarray]:
    """Return the sums and counts that a layer's centroids are made of."""
    return {name: keras.ops.convert_to_numpy(getattr(layer, name)) for name in ("sums", "counts")}


def scores_beside(
    centroids: Path,
    embedder: keras.Model,
    tokens: TokenizedTexts,
    rows: np.ndarray,
    num_classes: int,
    mft: MFT,
) -> np.ndarray:
    """Return typicalities, not clipped, of a new domain's texts, the others as they were.

    Args:
        centroids: File of what `centroids_of` gave of the other domains.
        embedder: Gives E(x), by the encoder that the centroids were made with.
        tokens: The new domain's texts.
        rows: Int `(n,)`, those that are asked about.
        num_classes: Number of classes.
        mft: How a recipe sets the scores.

    Returns:
        `(n,)` float32.
    """
    with np.load(centroids, allow_pickle=False) as kept:
        known = {name: kept[name] for name in ("sums", "counts")}
    code = len(known["counts"])
    layer = weighting(num_classes, code + 1, mft)
    embeddings = predict(embedder, "typicality", tokens, rows)
    labels, domains = np.asarray(tokens.labels)[rows], np.full(len(rows), code, np.int32)
    layer.adapt(embeddings, labels, domains)
    for name, values in known.items():
        variable = getattr(layer, name)
        own = keras.ops.convert_to_numpy(variable)[code:]
        variable.assign(np.concatenate([values, own]))
    layer.finalize()
    return keras.ops.convert_to_numpy(layer.raw_scores(embeddings, labels, domains))


def table(corpus: Corpus, splits: Splits, scores: dict[str, np.ndarray]) -> pa.Table:
    """`typicality.parquet`: id, split, domain, label and score, split by split."""
    part = corpus.take(np.concatenate([splits[name] for name in scores]))
    names = np.repeat(list(scores), [len(values) for values in scores.values()])
    return pa.table(
        {
            "id": part.table["id"],
            "split": pa.array(names, pa.string()),
            "domain": pa.array(corpus.domains).take(part.table["domain"]),
            "label": pa.array(corpus.labels).take(part.table["label"]),
            "score": pa.array(np.concatenate(list(scores.values())), pa.float32()),
        }
    )


def read_scores(path: Path) -> dict[str, np.ndarray]:
    """Return the scores of `typicality.parquet` by split, in the splits' own order."""
    saved = read_parquet(path)
    names, values = saved["split"].to_numpy(), saved["score"].to_numpy()
    return {name: values[names == name] for name in dict.fromkeys(names)}


def loss_weights(scores: dict[str, np.ndarray], mft: MFT) -> dict[str, np.ndarray]:
    """Return the losses' weights: scores clipped, and divided by their training mean if asked."""
    weights = {
        name: values if mft.clip is None else np.maximum(values, np.float32(mft.clip))
        for name, values in scores.items()
    }
    mean = float(weights["train"].mean())
    if mft.normalize and mean > 0:
        weights = {name: values / mean for name, values in weights.items()}
    return weights


def case_study(path: Path, corpus: Corpus, count: int) -> list[dict[str, Any]]:
    """Return the `count` least and `count` most typical training texts of each domain."""
    scores = read_parquet(path, filters=[("split", "=", "train")]).to_pandas()
    texts = corpus.table.select(["id", "text"]).to_pandas()
    scores = scores.merge(texts, on="id").sort_values("score", kind="stable")
    study = []
    for domain in corpus.domains:
        own = scores[scores["domain"] == domain]
        for end, part in (("low", own.head(count)), ("high", own.tail(count)[::-1])):
            for entry in part.to_dict("records"):
                study.append({"typicality": end, **entry})
    return study
