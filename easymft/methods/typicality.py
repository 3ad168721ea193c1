"""Typicality of a corpus: embeddings, scores, weights, and the texts that stand out."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from easymft.config import MFT
from easymft.data.batches import Batches
from easymft.data.pipeline import TokenizedTexts
from easymft.data.schema import Corpus
from easymft.distribution import jit_compile
from easymft.layers import TypicalityWeighting
from easymft.memory import KeepFreedMemory


def text_embeddings(
    embedder: keras.Model, tokens: TokenizedTexts, rows: np.ndarray, batch_size: int = 64
) -> np.ndarray:
    """E(x) of the given rows, in their order: `(len(rows), hidden)` float32."""
    batches = Batches(tokens, rows, batch_size)
    if not embedder.compiled:
        embedder.compile(optimizer=None, jit_compile=jit_compile())
    return batches.in_input_order(
        embedder.predict(batches.feed(), verbose=0, callbacks=[KeepFreedMemory()])
    )


def weighting(num_classes: int, num_domains: int, mft: MFT) -> TypicalityWeighting:
    """The layer that scores, as a recipe sets it."""
    return TypicalityWeighting(
        num_domains,
        num_classes,
        alpha=mft.alpha,
        variant=mft.typicality_variant,
        clip=mft.clip,
        class_weights=mft.class_weights,
    )


def table(corpus: Corpus, rows: np.ndarray, scores: np.ndarray) -> pa.Table:
    """`typicality.parquet`: id, domain, label and score of `rows`, in their order."""
    part = corpus.take(rows)
    return pa.table(
        {
            "id": part.table["id"],
            "domain": pa.array(corpus.domains).take(part.table["domain"]),
            "label": pa.array(corpus.labels).take(part.table["label"]),
            "score": pa.array(scores, pa.float32()),
        }
    )


def training_weights(path: Path, mft: MFT) -> np.ndarray:
    """The weights that enter the losses, in the file's order: clipped, and scaled if asked."""
    scores = pq.read_table(path)["score"].to_numpy()
    weights = scores if mft.clip is None else np.maximum(scores, np.float32(mft.clip))
    mean = float(weights.mean())
    return weights / mean if mft.normalize and mean > 0 else weights


def case_study(path: Path, corpus: Corpus, count: int) -> list[dict[str, Any]]:
    """The `count` least and `count` most typical training texts of each domain."""
    scores = pq.read_table(path).to_pandas()
    texts = corpus.table.select(["id", "text"]).to_pandas()
    scores = scores.merge(texts, on="id").sort_values("score", kind="stable")
    study = []
    for domain in corpus.domains:
        own = scores[scores["domain"] == domain]
        for end, part in (("low", own.head(count)), ("high", own.tail(count)[::-1])):
            for entry in part.to_dict("records"):
                study.append({"typicality": end, **entry})
    return study
