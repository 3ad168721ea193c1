"""An audit in one line, without recipe or files."""

from collections.abc import Iterable
from typing import Any, Literal

import pandas as pd

from easymft.auditing.findings import find
from easymft.auditing.material import Material
from easymft.config import Backbone
from easymft.config.loading import config_from_dict
from easymft.data.batches.tokenized import tokenized
from easymft.data.corpus.rows import to_name
from easymft.data.corpus.values import ONE_HOT, flat_values
from easymft.devices.machine import precision_policy
from easymft.in_memory.corpus import labelled
from easymft.in_memory.training import seeded
from easymft.models import load_backbone, load_preprocessor


def audit(
    texts: Iterable[str],
    labels: Iterable[Any],
    domains: Iterable[Any],
    *,
    text_pairs: Iterable[str] | None = None,
    method: Literal["embed", "mix"] = "embed",
    folds: int = 5,
    same_text: float = 0.8,
    preset: str = Backbone().preset,
    max_length: int = 128,
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto",
    seed: int = 1,
) -> pd.DataFrame:
    """Tell which labels may be wrong, which texts repeat others or stand in the wrong domain.

    Every text is judged by a model that learned from the other folds; see `--mode audit`.

    Args:
        texts: The texts, or the first of each pair.
        labels: Their classes: strings or integers.
        domains: Their domains: strings or integers.
        text_pairs: The second text of each pair.
        method: embed, logistic regressions on the frozen encoder; mix, an encoder trained for every
            fold.
        folds: Number of folds.
        same_text: Share of common runs of three words from which two texts count as the same.
        preset: A keras-hub preset, `hf://...`, a local folder, or `package:NAME/FOLDER`.
        max_length: Word pieces kept of a text (pair).
        precision: What the encoder computes in; auto: bfloat16 where the processor does so.
        seed: Of folds and training.

    Returns:
        A row a text, most suspicious first; its index is the text's place among `texts`, and its
        columns are those of `easymft.auditing.findings.find` but for `id`. `label` and
        `suggested_label` are values of `labels`.

    Raises:
        InputError: A text, label or domain cannot be used, an argument breaks a rule, or the extra
            `audit` is not installed.

    Example:
        >>> import easymft
        >>> found = easymft.audit(texts, labels, domains)
        >>> found[found["why"] != ""].head(20)
    """
    config = config_from_dict(
        {
            "name": "audit",
            "seed": seed,
            "precision": precision,
            "backbone": {"preset": str(preset), "max_length": max_length},
            "audit": {"method": method, "folds": folds, "same_text": float(same_text)},
        }
    )
    given = {"text": texts, "label": labels, "domain": domains}
    if text_pairs is not None:
        given["text_pair"] = text_pairs
    hints = {"label": ONE_HOT}
    columns = {role: flat_values(f"{role}s", of, hints.get(role, "")) for role, of in given.items()}
    corpus = labelled(columns)
    preset = config.backbone.preset
    with seeded(seed), tokenized(corpus, load_preprocessor(preset, max_length)) as tokens:
        policy = precision_policy(config.precision)
        material = Material(config, corpus, tokens, lambda: load_backbone(preset, dtype=policy))
        found = find(material)
    places = found["id"].astype(int)
    values = {to_name(value): value for value in columns["label"]}
    for name in ("label", "suggested_label"):
        found[name] = found[name].map(values)
    return found.drop(columns="id").set_index(pd.Index(places.to_numpy(), name="place"))
