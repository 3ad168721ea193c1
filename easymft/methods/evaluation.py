"""Predictions, and the figures made of them."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pyarrow as pa
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.schema import Corpus
from easymft.models import TextClassifier
from easymft.models.inference import predict
from easymft.report.intervals import accuracy_interval


def class_probabilities(
    model: TextClassifier, name: str, tokens: TokenizedTexts, rows: np.ndarray
) -> np.ndarray:
    """Class probabilities of the given rows, in their order: `(len(rows), classes)` float32."""
    logits = predict(model, name, tokens, rows)["logits"]
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits, axis=-1))


def predictions_table(
    corpus: Corpus, rows: np.ndarray, probabilities: np.ndarray, model: str, splits: np.ndarray
) -> pa.Table:
    """`predictions.parquet`: one row a text, with the probability of every class in order.

    Args:
        corpus: The corpus.
        rows: `(texts,)` rows of the corpus that were predicted.
        probabilities: `(texts, classes)`.
        model: Which predicted: `BY_META_LEARNER` or `BY_FINE_TUNED` of `easymft.config.method`.
        splits: `(texts,)` names of the texts' splits.
    """
    part = corpus.take(rows).table
    labels = pa.array(corpus.labels)
    return pa.table(
        {
            "model": pa.array([model] * len(rows), pa.string()),
            "split": pa.array(splits, pa.string()),
            "id": part["id"],
            "domain": pa.array(corpus.domains).take(part["domain"]),
            "label": labels.take(part["label"]),
            "predicted": labels.take(pa.array(probabilities.argmax(axis=1))),
            "probabilities": pa.array(list(probabilities), pa.list_(pa.float32())),
        }
    )


def probability_matrix(predictions: pa.Table) -> np.ndarray:
    """Return the probabilities of `predictions_table`, `(texts, classes)` float32, or `(0, 0)`."""
    rows = predictions["probabilities"].to_pylist()
    return np.array(rows, np.float32).reshape(len(rows), -1 if rows else 0)


def metrics(predictions: pa.Table, labels: Sequence[str], domains: Sequence[str]) -> dict[str, Any]:
    """Figures per model, split and domain, with averages over domains.

    Returns:
        `{model: {split: {"domains": {domain: figures}, "average_accuracy",
        "worst_domain_accuracy", "average_macro_f1", "average_balanced_accuracy"}}}`;
        see `domain_figures`.
    """
    frame = predictions.to_pandas()
    code = {label: index for index, label in enumerate(labels)}
    result: dict[str, Any] = {}
    for (model, split), part in frame.groupby(["model", "split"], sort=False):
        figures = {}
        for domain in domains:
            own = part[part["domain"] == domain]
            true, guessed = own["label"].map(code), own["predicted"].map(code)
            figures[domain] = domain_figures(true.to_numpy(), guessed.to_numpy(), len(labels))
        result.setdefault(model, {})[split] = summarize(figures)
    return result


def domain_figures(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> dict[str, Any]:
    """Texts, accuracy with its 95 % Wilson interval, two averages over classes, and confusions.

    Macro-F1 averages over the classes present or predicted in the domain, balanced accuracy the
    recall of those present.
    """
    count = len(labels)
    if not count:
        return {"texts": 0}
    return {
        "texts": count,
        "accuracy": float(accuracy_score(labels, predicted)),
        "accuracy_interval": list(accuracy_interval(int((labels == predicted).sum()), count)),
        "macro_f1": float(f1_score(labels, predicted, average="macro")),
        "balanced_accuracy": float(
            recall_score(labels, predicted, labels=np.unique(labels), average="macro")
        ),
        "confusion": confusion_matrix(labels, predicted, labels=range(num_classes)).tolist(),
    }


def summarize(domains: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Add averages over the domains that have texts, and the worst domain's accuracy."""
    present = [figures for figures in domains.values() if figures["texts"]]
    accuracies = [figures["accuracy"] for figures in present]
    return {
        "domains": domains,
        "average_accuracy": float(np.mean(accuracies)),
        "worst_domain_accuracy": float(np.min(accuracies)),
        "average_macro_f1": float(np.mean([figures["macro_f1"] for figures in present])),
        "average_balanced_accuracy": float(np.mean([f["balanced_accuracy"] for f in present])),
    }
