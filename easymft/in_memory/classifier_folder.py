"""A fitted `MFTClassifier` as a folder: JSON, Keras archives and weights; no pickle."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from easymft import files
from easymft.config.method import META_LEARNER
from easymft.errors import InputError
from easymft.in_memory.estimator_input import plain_numbers

FACTS, PREPROCESSOR = "classifier.json", "preprocessor.keras"
MODEL = f"{META_LEARNER}.keras"


def write_classifier(classifier: Any, folder: Path) -> None:
    """Write a fitted classifier; an earlier one in `folder` is replaced.

    Raises:
        InputError: The folder holds something else, or cannot be written.
    """
    if folder.exists() and not (folder / FACTS).is_file():
        raise InputError("exists and holds no saved classifier; name another", file=folder)
    # Weights alone: Keras reads those of a whole `.keras` archive nine times more slowly.
    names = {
        domain: f"{number}-{files.slug(domain)}.weights.h5"
        for number, domain in enumerate(classifier.weights_)
        if domain is not None
    }
    parameters = plain_numbers({**classifier.get_params(), "preset": str(classifier.preset)})
    if not isinstance(parameters["random_state"], int):
        parameters["random_state"] = None  # a generator, which is not what it was any more
    facts = {
        "parameters": parameters,
        "classes": classifier.classes_.tolist(),
        "dtype": classifier.classes_.dtype.str,
        "pairs": classifier.pairs_,
        "domains": names,
    }
    model = classifier.model_
    try:
        with files.staged(folder) as place:
            place.mkdir()
            files.write_json(place / FACTS, facts)
            keras.saving.save_model(classifier.preprocessor_, place / PREPROCESSOR)
            model.set_weights(classifier.weights_[None])
            model.save(place / MODEL)
            for domain, name in names.items():
                model.set_weights(classifier.weights_[domain])
                model.save_weights(place / name)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=folder) from None


def read_classifier(classifier: Any, folder: Path) -> None:
    """Give a new classifier the parameters and fitted attributes that `folder` holds.

    Raises:
        InputError: It holds no saved classifier, or a part of one.
    """
    try:
        facts = files.read_json(folder / FACTS)
        classifier.set_params(**facts["parameters"])
        classifier.classes_ = np.array(facts["classes"], dtype=facts["dtype"])
        classifier.domains_ = np.array(list(facts["domains"]), dtype=object)
        classifier.pairs_ = facts["pairs"]
        classifier.preprocessor_ = keras.saving.load_model(folder / PREPROCESSOR)
        model = keras.saving.load_model(folder / MODEL, compile=False)
        classifier.weights_ = {None: model.get_weights()}
        for domain, name in facts["domains"].items():
            model.load_weights(folder / name)
            classifier.weights_[domain] = model.get_weights()
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"holds no whole saved classifier ({reason})", file=folder) from error
    classifier.model_ = model
    # What training left besides; a saved classifier predicts.
    classifier.typicality_, classifier.history_ = None, {}
