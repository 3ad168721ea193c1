"""Typicality of texts in one line, without recipe, files or model."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from easymft.config import Backbone
from easymft.config.loading import config_from_dict
from easymft.data.batches.tokenized import tokenized
from easymft.data.corpus.values import ONE_HOT, flat_values
from easymft.devices.machine import precision_policy
from easymft.in_memory.corpus import all_train, labelled
from easymft.methods import typicality
from easymft.models import (
    TextClassifier,
    TextEmbedder,
    load_backbone,
    load_preprocessor,
    scoring,
)

DEFAULT_PRESET = Backbone().preset


def typicality_scores(
    texts: Iterable[str],
    labels: Iterable[Any],
    domains: Iterable[Any],
    *,
    text_pairs: Iterable[str] | None = None,
    preset: str = DEFAULT_PRESET,
    max_length: int = 128,
    variant: Literal["paper", "easytransfer"] = "paper",
    alpha: float = 0.5,
    clip: float | None = 0.0,
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto",
) -> np.ndarray:
    """Score how typical each text is of its class, in its own domain and in the others.

    The scores are those that a run's typicality stage gives these texts as its training texts:
    cosines between a text's embedding, made by the encoder as it was pre-trained, and the
    centroids of its class. See `TypicalityWeighting` for the formula.

    Args:
        texts: The texts, or the first of each pair.
        labels: Their classes: strings or integers.
        domains: Their domains: strings or integers.
        text_pairs: The second text of each pair.
        preset: A keras-hub preset, `hf://...`, a local folder, or `package:NAME/FOLDER`.
        max_length: Word pieces kept of a text (pair).
        variant: The paper's formula and embedding, or those of the EasyTransfer scripts.
        alpha: Share of the own domain's centroid, in [0, 1].
        clip: Lower bound of the scores; `None` keeps negative ones.
        precision: What the encoder computes in; auto: bfloat16 where the processor does so.

    Returns:
        `(texts,)` float32, in the order of `texts`; at most 1.

    Raises:
        InputError: A text, label or domain cannot be used, or an argument breaks a rule.

    Example:
        >>> import easymft
        >>> texts = ["a gripping plot", "dull prose", "the battery lasts", "it broke at once"]
        >>> easymft.typicality_scores(texts, [1, 0, 1, 0], ["books", "books", "tools", "tools"])
    """
    config = config_from_dict(
        {
            "name": "typicality_scores",
            "precision": precision,
            "backbone": {"preset": str(preset), "max_length": max_length},
            "mft": {"variant": variant, "alpha": alpha, "clip": clip},
        }
    )
    given = {"text": texts, "label": labels, "domain": domains}
    if text_pairs is not None:
        given["text_pair"] = text_pairs
    hints = {"label": ONE_HOT}
    corpus = labelled(
        {role: flat_values(f"{role}s", of, hints.get(role, "")) for role, of in given.items()}
    )
    preset, mft = config.backbone.preset, config.mft
    backbone = load_backbone(preset, dtype=precision_policy(config.precision))
    num_classes, num_domains = len(corpus.labels), len(corpus.domains)
    classifier = TextClassifier(backbone, num_classes, embedding=config.backbone.pooling)
    layer = typicality.weighting(num_classes, num_domains, mft)
    with tokenized(corpus, load_preprocessor(preset, max_length)) as tokens:
        scores = scoring.scores(TextEmbedder(classifier), tokens, all_train(tokens), layer)
    return typicality.loss_weights(scores, mft)["train"]
