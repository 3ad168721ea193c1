"""From an estimator's parameters to a checked recipe."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from easymft.config import METHODS, Config
from easymft.config.loading import config_from_dict, merge
from easymft.data.corpus.rows import to_name
from easymft.errors import InputError

USABLE_METHODS = tuple(name for name in METHODS if METHODS[name].answers_any_domain)
# Sections and keys of a recipe that say something about a model.
USABLE_SETTINGS = (
    *("backbone", "mft", "meta_fine_tune", "fine_tune", "optimizer"),
    *("adversary", "dropout", "precision", "self_train", "answers"),
)


def config_of(parameters: Mapping[str, Any]) -> Config:
    """Return the recipe that the parameters of an `MFTClassifier` amount to.

    Raises:
        InputError: A parameter breaks a rule, or a setting says nothing of a model.
    """
    values = plain_numbers(parameters)
    if values["method"] not in USABLE_METHODS:
        raise InputError(
            f"must be one of {', '.join(USABLE_METHODS)}. Received: {values['method']!r}",
            field="method",
        )
    phase = {key: values[key] for key in ("learning_rate", "batch_size")}
    recipe = {
        "name": "MFTClassifier",
        "data": {"label_sets": _label_sets(values["label_sets"])},
        "method": values["method"],
        "seed": int(check_random_state(values["random_state"]).randint(2**31 - 1)),
        "backbone": {"preset": str(values["preset"]), "max_length": values["max_length"]},
        "mft": {key: values[key] for key in ("alpha", "corruption_weight")},
        "meta_fine_tune": {"epochs": values["epochs"], **phase},
        "fine_tune": {"epochs": values["fine_tune_epochs"], **phase},
    }
    config = config_from_dict(merge(recipe, _nested(values["settings"] or {})))
    if config.fine_tune.select_best_on_dev or config.meta_fine_tune.select_best_on_dev:
        message = "`select_best_on_dev` needs dev texts, of which `fit` has none"
        raise InputError(message, field="settings")
    if METHODS[config.method].self_trains and config.self_train.gate == "dev":
        message = "`self_train.gate` dev needs dev texts, of which `fit` has none; take cross_fit"
        raise InputError(message, field="settings")
    if config.answers.target_accuracy is not None and config.answers.folds is None:
        message = "`answers.target_accuracy` needs texts held out of training; set `answers.folds`"
        raise InputError(message, field="settings")
    if config.fine_tune.parts != "all" and not config.mft.keep_class_head:
        message = "small parts (`fine_tune.parts`) stand beside the meta-learner's class head; "
        raise InputError(f"{message}leave `mft.keep_class_head` true", field="settings")
    return config


def plain_numbers(value: Any) -> Any:
    """Return the value without numpy's numbers, which parameter searches give, inside it too."""
    if isinstance(value, Mapping):
        return {key: plain_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain_numbers(inner) for inner in value]
    return value.item() if isinstance(value, np.generic) else value


def _label_sets(asked: Any) -> Any:
    """Return the classes of domains by the names that recipes know them by."""
    if asked is None or asked == "found":
        return asked
    are_lists = isinstance(asked, Mapping) and all(
        isinstance(own, Iterable) and not isinstance(own, str) and len(list(own))
        for own in asked.values()
    )
    if not are_lists:
        message = 'must be None, "found", or classes by domain, {"books": ["good", "bad"]}'
        raise InputError(f"{message}. Received: {asked!r}", field="label_sets")
    return {str(to_name(name)): [str(to_name(x)) for x in own] for name, own in asked.items()}


def _nested(settings: Any) -> dict[str, Any]:
    """Return `{"a.b": 1}` as `{"a": {"b": 1}}`."""
    nested: dict[str, Any] = {}
    if not isinstance(settings, Mapping):
        message = f'must be a dict such as {{"mft.clip": 0.1}}. Received: {settings!r}'
        raise InputError(message, field="settings")
    for key, value in settings.items():
        first, *others = str(key).split(".")
        if first not in USABLE_SETTINGS:
            raise InputError(
                f"must begin with one of {', '.join(USABLE_SETTINGS)}. Received: {key!r}",
                field="settings",
            )
        for part in reversed(others):
            value = {part: value}
        nested = merge(nested, {first: value})
    return nested
