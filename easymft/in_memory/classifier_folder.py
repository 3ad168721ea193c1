"""A fitted `MFTClassifier` as a folder: JSON, Keras archives and weights; no pickle."""

import dataclasses
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
from keras_hub.models import TextClassifierPreprocessor

from easymft import files
from easymft.config.method import DOMAIN_PARTS, META_LEARNER
from easymft.errors import InputError
from easymft.in_memory.adapted_model import AdaptedModel
from easymft.in_memory.parameters import plain_numbers
from easymft.in_memory.shared_model import SharedModel, Weights
from easymft.models.answer_rules import AnswerRules
from easymft.models.domain_parts import DomainParts

FACTS, PREPROCESSOR = "classifier.json", "preprocessor.keras"
_NO_RULES = AnswerRules.none(()).to_dict()
MODEL, PARTS = f"{META_LEARNER}.keras", f"{DOMAIN_PARTS}.npz"


@dataclasses.dataclass(frozen=True)
class Saved:
    """All that a fitted classifier predicts with.

    Attributes:
        parameters: Those of its constructor.
        classes: `(classes,)`.
        pairs: Whether it reads pairs of texts.
        preprocessor: Makes tokens of texts.
        model: Answers for each domain.
        rules: What its probabilities become.
    """

    parameters: dict[str, Any]
    classes: np.ndarray
    pairs: bool
    preprocessor: TextClassifierPreprocessor
    model: SharedModel | AdaptedModel
    rules: AnswerRules


def write_classifier(saved: Saved, folder: str | Path) -> None:
    """Write a fitted classifier; an earlier one in `folder` is replaced.

    Raises:
        InputError: The folder holds something else, or cannot be written.
    """
    folder = _resolved(folder)
    # Weights alone: Keras reads those of a whole `.keras` archive nine times more slowly.
    model, whole = saved.model, isinstance(saved.model, SharedModel)
    names = {
        domain: f"{number}-{files.slug(domain)}.weights.h5"
        for number, domain in enumerate(model.domains if whole else [], 1)
    }
    parameters = plain_numbers({**saved.parameters, "preset": str(saved.parameters["preset"])})
    if not isinstance(parameters["random_state"], int):
        parameters["random_state"] = None  # a generator, which is not what it was any more
    facts = {
        "parameters": parameters,
        "classes": saved.classes.tolist(),
        "dtype": saved.classes.dtype.str,
        "pairs": saved.pairs,
        "domains": names,
        "rules": saved.rules.to_dict(),
        "known_domains": list(model.names if isinstance(model, SharedModel) else model.domains),
    }
    try:
        if fault := _refusal(folder):
            raise InputError(fault, file=folder)
        with files.staged(folder) as place:
            place.mkdir()
            files.write_json(place / FACTS, facts)
            keras.saving.save_model(saved.preprocessor, place / PREPROCESSOR)
            if isinstance(model, AdaptedModel):
                model.meta_learner.save(place / MODEL)
                model.parts.save(place / PARTS)
                return
            with model.holding(None) as meta_learner:
                meta_learner.save(place / MODEL)
            for domain, name in names.items():
                with model.holding(domain) as own:
                    own.save_weights(place / name)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=folder) from None


def read_classifier(folder: str | Path) -> Saved:
    """Read what `write_classifier` wrote.

    Raises:
        InputError: It holds no saved classifier, or a part of one.
    """
    folder = _resolved(folder)
    try:
        facts = files.read_json(folder / FACTS)
        preprocessor = keras.saving.load_model(folder / PREPROCESSOR)
        model = _read_model(folder, facts)
        return Saved(
            parameters=facts["parameters"],
            classes=np.array(facts["classes"], dtype=facts["dtype"]),
            pairs=facts["pairs"],
            preprocessor=preprocessor,
            model=model,
            # Earlier versions had none.
            rules=AnswerRules.from_dict(facts.get("rules", _NO_RULES)),
        )
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"holds no whole saved classifier ({reason})", file=folder) from error


def _read_model(folder: Path, facts: dict[str, Any]) -> SharedModel | AdaptedModel:
    learner = keras.saving.load_model(folder / MODEL, compile=False)
    if (folder / PARTS).exists():
        return AdaptedModel(learner, DomainParts.load(folder / PARTS))
    weights: dict[str | None, Weights] = {None: learner.get_weights()}
    for domain, name in facts["domains"].items():
        learner.load_weights(folder / name)
        weights[domain] = learner.get_weights()
    return SharedModel(learner, weights, facts.get("known_domains", ()))


def _resolved(folder: str | Path) -> Path:
    """Return where a folder is: `~` is the user's own, and a link stays and leads there."""
    return Path(os.path.realpath(os.path.expanduser(folder)))


def _refusal(folder: Path) -> str | None:
    """Return why a classifier cannot be written to `folder`, if it cannot."""
    if not folder.exists():
        return None
    if not folder.is_dir():
        return "is a file; name a folder"
    if folder == Path.cwd():
        return "is the folder you are in, which would be replaced; name one inside it"
    if any(folder.iterdir()) and not (folder / FACTS).is_file():
        return "exists and holds no saved classifier; name another"
    return None
