"""Rules of answering, found on the development texts and tried on the test texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from keras import ops

from easymft.config import Answers
from easymft.errors import InputError
from easymft.methods.evaluation import probability_matrix
from easymft.methods.reliability import calibration
from easymft.models.answer_rules import AnswerRules, find_rules
from easymft.report.statistics import expected_calibration_error

_DRAWS = 20  # of each domain's test texts


def check_promise(settings: Answers, has_dev: bool) -> None:
    """Raise `InputError` where answers are to be right as often as nothing can show."""
    if settings.target_accuracy is not None and not has_dev:
        raise InputError(
            "is shown by development texts, and none are answered; set some aside by "
            '`data.split.dev`, and have "dev" in `evaluate_on`',
            field="answers.target_accuracy",
        )


def fit(
    predictions: pa.Table, labels: Sequence[str], domains: Sequence[str], settings: Answers
) -> dict[str, Any]:
    """Find temperatures and thresholds of each model that answered development texts.

    Args:
        predictions: Of `evaluation.predictions_table`, probabilities as the models gave them.
        labels: Class names.
        domains: Domain names.
        settings: What is asked for.

    Returns:
        `target_accuracy` and `confidence` as asked, and `models`: for each of `BY_META_LEARNER` and
        `BY_FINE_TUNED` that answered development texts `domains`, by name, and `unknown`, all of
        them together, each a dict of `temperature`, `threshold` (`None`: no text is answered),
        `texts`, `answered`, `right` (of the development texts) and `needed`; see
        `easymft.models.answer_rules.find_rules`.

    Raises:
        InputError: Something is to be promised, and there are no development texts.
    """
    check_promise(settings, "dev" in pc.unique(predictions["split"]).to_pylist())
    models = {}
    for model in pc.unique(predictions["model"]).to_pylist():
        own = (pc.field("model") == model) & (pc.field("split") == "dev")
        if len(dev := predictions.filter(own)):
            models[model] = find_rules(
                *(
                    probability_matrix(dev),
                    _codes(dev["label"], labels),
                    _codes(dev["domain"], domains),
                ),
                domains,
                calibrate=settings.calibrate,
                target_accuracy=settings.target_accuracy,
                confidence=settings.confidence,
            )
    asked = settings.model_dump(include={"target_accuracy", "confidence"})
    return {**asked, "models": models}


def rules(facts: Mapping[str, Any], model: str, domains: Sequence[str]) -> AnswerRules:
    """Return a model's rules, which change nothing where `fit` found none."""
    found = facts["models"].get(model)
    return AnswerRules.none(domains) if found is None else AnswerRules.of_facts(found)


def calibrated(predictions: pa.Table, facts: Mapping[str, Any], domains: Sequence[str]) -> pa.Table:
    """Return the predictions with every model's probabilities calibrated, in the same order."""
    column = predictions.column_names.index("probabilities")
    probabilities = probability_matrix(predictions)
    codes = _codes(predictions["domain"], domains)
    for model in facts["models"]:
        own = pc.equal(predictions["model"], model).to_numpy()
        changed = rules(facts, model, domains).calibrated(probabilities[own], codes[own])
        probabilities[own] = ops.convert_to_numpy(changed)
    values = pa.array(list(probabilities), pa.list_(pa.float32()))
    return predictions.set_column(column, "probabilities", values)


def tried(
    before: pa.Table, after: pa.Table, facts: Mapping[str, Any], domains: Sequence[str]
) -> dict[str, Any]:
    """Return what the rules do to test texts.

    Args:
        before: Predictions as the models gave them.
        after: The same, calibrated.
        facts: Of `fit`.
        domains: Domain names.

    Returns:
        By model `error_before` and `error_after`, the mean expected calibration error over domains,
        `error_by_chance`, what that would be if every score were just as often right as it says,
        and `domains`, by name: `texts`, and `answered` and `right` of them.
    """
    errors = [calibration(table, domains) for table in (before, after)]
    found = {}
    for model in facts["models"]:
        own = (pc.field("model") == model) & (pc.field("split") == "test")
        test = after.filter(own)
        if not len(test):
            continue
        codes, scores = _codes(test["domain"], domains), probability_matrix(test).max(axis=1)
        abstains = rules(facts, model, domains).abstains(scores, codes)
        answered = ~ops.convert_to_numpy(abstains)
        right = pc.equal(test["label"], test["predicted"]).to_numpy() & answered
        before_and_after = [error[model]["test"]["average"] for error in errors]
        found[model] = {
            **dict(zip(("error_before", "error_after"), before_and_after, strict=True)),
            "error_by_chance": _error_by_chance(scores, codes),
            "domains": {
                name: {
                    "texts": int((codes == code).sum()),
                    "answered": int(answered[codes == code].sum()),
                    "right": int(right[codes == code].sum()),
                }
                for code, name in enumerate(domains)
            },
        }
    return found


def _error_by_chance(scores: np.ndarray, codes: np.ndarray) -> float | None:
    """Return the mean calibration error, over domains, of answers as often right as they say."""
    random = np.random.default_rng(0)
    errors = [
        expected_calibration_error(own, random.random(len(own)) < own)
        for own in (scores[codes == code] for code in np.unique(codes))
        for _ in range(_DRAWS)
    ]
    known = [error for error in errors if error is not None]
    return float(np.mean(known)) if known else None


def _codes(names: pa.ChunkedArray, known: Sequence[str]) -> np.ndarray:
    return pc.index_in(names, pa.array(known, pa.string())).to_numpy()
