"""The texts that contestants train on: real ones where they are, else the bundled sample."""

import logging
from typing import Any

import numpy as np

logger = logging.getLogger(__name__)


def load(recipe: str, count: int, pairs: bool) -> dict[str, Any]:
    """So many texts of a recipe's corpus, drawn with a seed; the sample repeated where it is not.

    Args:
        recipe: Name of a recipe of app_zoo.
        count: Number of texts.
        pairs: Whether the corpus has pairs; pairs of the sample's texts take their place.

    Returns:
        Lists `text`, `text_pair` (or None), `label`, `domain`; the numbers `num_classes` and
        `num_domains`; and `origin`.
    """
    from easymft.config.loading import load_config
    from easymft.data.sources.load import load_corpus
    from easymft.errors import InputError

    try:
        corpus = load_corpus(load_config(f"app_zoo/{recipe}.json").data)
    except InputError as error:
        logger.warning("%s; the bundled sample takes its place", error)
        corpus = load_corpus(load_config("app_zoo/amazon.json", ["data.source=sample"]).data)
    rows = np.resize(np.random.default_rng(0).permutation(len(corpus)), count)
    part = corpus.take(rows).table
    text = part["text"].to_pylist()
    second = part["text_pair"].to_pylist() if corpus.is_pair else [*text[1:], text[0]]
    return {
        "text": text,
        "text_pair": second if pairs else None,
        "label": part["label"].to_pylist(),
        "domain": part["domain"].to_pylist(),
        "num_classes": len(corpus.labels),
        "num_domains": len(corpus.domains),
        "origin": corpus.origin,
    }
