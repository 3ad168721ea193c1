"""How far a model's probabilities can be trusted, and which texts it gets wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.metrics import roc_auc_score

from easymft.report.statistics import expected_calibration_error

QUANTILES = 5


def calibration(predictions: pa.Table, domains: Sequence[str], bins: int = 15) -> dict[str, Any]:
    """Return expected calibration error per model, split and domain, and its average over domains.

    Args:
        predictions: Of `evaluation.predictions_table`.
        domains: Domain names; one without texts gets `None` and is left out of the average.
        bins: See `expected_calibration_error`.

    Returns:
        `{model: {split: {"average": error, "domains": {domain: error}}}}`.
    """
    frame = _with_correctness(predictions)
    frame["confidence"] = [float(np.max(row)) for row in frame["probabilities"]]
    result: dict[str, Any] = {}
    for (model, split), part in frame.groupby(["model", "split"], sort=False):
        errors = {}
        for domain in domains:
            own = part[part["domain"] == domain]
            errors[domain] = expected_calibration_error(own["confidence"], own["correct"], bins)
        known = [error for error in errors.values() if error is not None]
        average = float(np.mean(known)) if known else None
        result.setdefault(model, {})[split] = {"average": average, "domains": errors}
    return result


def typicality_and_errors(
    predictions: pa.Table, typicality: pa.Table, split: str = "test"
) -> dict[str, Any] | None:
    """Return whether the texts a model gets wrong are the untypical ones.

    Args:
        predictions: Of `evaluation.predictions_table`.
        typicality: Of `typicality.table`: `id` and `score`.
        split: Which texts.

    Returns:
        Per model `auc`, see `separation`, and `quintiles`, see `accuracy_by_score`; `None` where
        no text of the split has a score.
    """
    frame = _with_correctness(predictions)
    frame = frame[frame["split"] == split].merge(
        typicality.select(["id", "score"]).to_pandas().dropna(), on="id"
    )
    result = {}
    for model, part in frame.groupby("model", sort=False):
        scores, correct = part["score"].to_numpy(float), part["correct"].to_numpy(bool)
        result[model] = {
            "auc": separation(scores, correct),
            "quintiles": accuracy_by_score(scores, correct),
        }
    return result or None


def separation(scores: np.ndarray, correct: np.ndarray) -> float | None:
    """Probability that a text the model got right has a higher score than one it got wrong.

    The area under the ROC curve of "a high score means right"; ties count half. `None` where the
    model got all texts right, or all wrong.

    Reference: Hanley, McNeil: The Meaning and Use of the Area under a Receiver Operating
    Characteristic (ROC) Curve, Radiology 143, 1982.
    """
    return float(roc_auc_score(correct, scores)) if len(set(correct)) == 2 else None


def accuracy_by_score(
    scores: np.ndarray, correct: np.ndarray, quantiles: int = QUANTILES
) -> list[dict[str, Any]]:
    """Accuracy of the texts cut into `quantiles` parts of equal size (to one text) by score.

    Returns:
        From the lowest scores up: `low` and `high`, the scores the part spans, `texts` and
        `accuracy`. Fewer parts where there are fewer texts.
    """
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, quantiles) if len(part)]
    return [
        {
            "low": float(scores[part[0]]),
            "high": float(scores[part[-1]]),
            "texts": len(part),
            "accuracy": float(correct[part].mean()),
        }
        for part in parts
    ]


def wrong_labels_found(
    flipped: np.ndarray, suspicion: Mapping[str, np.ndarray]
) -> dict[str, Any] | None:
    """Return how well rankings of the training texts find those with a wrong label.

    Args:
        flipped: `(texts,)` bool, whether the label is wrong.
        suspicion: Rankings by name: `(texts,)`, the most suspicious text the highest.

    Returns:
        `texts`, `flipped` (their number, n) and per ranking `precision`, the share of wrong labels
        among the n most suspicious texts (n / texts would be chance), and `auc`, see `separation`;
        `None` where no label is wrong.
    """
    count = int(flipped.sum())
    if not count:
        return None
    rankings = {}
    for name, values in suspicion.items():
        first = np.argsort(-values, kind="stable")[:count]
        rankings[name] = {
            "precision": float(flipped[first].mean()),
            "auc": separation(values, flipped),
        }
    return {"texts": len(flipped), "flipped": count, "rankings": rankings}


def _with_correctness(predictions: pa.Table) -> pd.DataFrame:
    frame = predictions.to_pandas()
    frame["correct"] = frame["label"] == frame["predicted"]
    return frame
