"""Rules of answering, found on texts held out of training and tried on the test texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from keras import ops

from easymft.config import Answers, Method
from easymft.config.method import BY_FINE_TUNED, BY_META_LEARNER
from easymft.methods.evaluation import probability_matrix
from easymft.methods.reliability import calibration
from easymft.models.answer_rules import AnswerRules, find_rules
from easymft.report.statistics import expected_calibration_error

_DRAWS = 20  # of each domain's test texts


def fit(
    predictions: pa.Table, labels: Sequence[str], domains: Sequence[str], settings: Answers
) -> dict[str, Any]:
    """Find temperatures and thresholds of each model that answered texts held out of training.

    Args:
        predictions: Of `evaluation.predictions_table`, probabilities as the models gave them. The
            held-out texts are those of the split "train" where `settings.folds` asks for it, each
            answered by models that did not learn from it; else of "dev".
        labels: Class names.
        domains: Domain names.
        settings: What is asked for.

    Returns:
        `target_accuracy` and `confidence` as asked, `found_on`, the name of the split, and
        `models`: for each of `BY_META_LEARNER` and `BY_FINE_TUNED` that answered such texts
        `domains`, by name, and `unknown`, all of them together, each a dict of `temperature`,
        `threshold` (`None`: no text is answered), `texts`, `answered`, `right` (of the held-out
        texts) and `needed`; see `easymft.models.answer_rules.find_rules`.

    Raises:
        InputError: Something is to be promised, and there are no such texts.
    """
    settings.check_promise("dev" in pc.unique(predictions["split"]).to_pylist())
    models, split = {}, "dev" if settings.folds is None else "train"
    for model in pc.unique(predictions["model"]).to_pylist():
        own = (pc.field("model") == model) & (pc.field("split") == split)
        if len(table := predictions.filter(own)):
            codes = _codes(table["label"], labels), _codes(table["domain"], domains)
            models[model] = find(probability_matrix(table), *codes, domains, settings)
    asked = settings.model_dump(include={"target_accuracy", "confidence"})
    return {**asked, "found_on": split, "models": models}


def find(
    probabilities: np.ndarray,
    labels: np.ndarray,
    codes: np.ndarray,
    domains: Sequence[str],
    settings: Answers,
) -> dict[str, Any]:
    """Do as `easymft.models.answer_rules.find_rules`, as a recipe's section says."""
    return find_rules(
        *(probabilities, labels, codes, domains),
        calibrate=settings.calibrate,
        target_accuracy=settings.target_accuracy,
        confidence=settings.confidence,
    )


def rules(facts: Mapping[str, Any], model: str, domains: Sequence[str]) -> AnswerRules:
    """Return a model's rules, which change nothing where `fit` found none."""
    found = facts["models"].get(model)
    return AnswerRules.none(domains) if found is None else AnswerRules.of_facts(found)


def routed(facts: Mapping[str, Any], method: Method, domains: Sequence[str]) -> AnswerRules:
    """Return the rules of a method's models as one: those of texts of no known domain too.

    Args:
        facts: Of `fit`.
        method: Whose models these are.
        domains: Domain names.
    """
    mixed, own = (rules(facts, by, domains) for by in (BY_META_LEARNER, BY_FINE_TUNED))
    if method.model is None:
        mixed = own
    return (own if method.fine_tunes else mixed).of_domains(domains, unknown=mixed)


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
