"""Rounds of self-training, and the gate that drops those that do not help."""

import dataclasses
import logging
from collections.abc import Callable
from typing import Protocol

import keras
import numpy as np

from easymft.config import SelfTraining
from easymft.methods import phases, self_training, task_typicality
from easymft.methods.checkpoint import History
from easymft.methods.evaluation import class_probabilities
from easymft.methods.folds import folds
from easymft.methods.phases import Record, Task
from easymft.models import TextClassifier
from easymft.models.pseudo_labels import PseudoLabels

logger = logging.getLogger(__name__)

Fitted = tuple[TextClassifier, History]


class Fit(Protocol):
    """Has one model of many trained, and may keep it."""

    def __call__(self, name: str, train: Callable[[Record], Fitted]) -> Fitted:
        """Return what `train` gives, when it is given a `Record`; or as it was kept.

        Args:
            name: Of this model among the others.
            train: Trains it.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Round:
    """One round.

    Attributes:
        guesses: All texts without labels, as the model before labelled them.
        chosen: Those that its model learned from.
        history: Of its training.
    """

    guesses: PseudoLabels
    chosen: PseudoLabels
    history: History


@dataclasses.dataclass(frozen=True)
class SelfTrained:
    """What self-training leaves.

    Attributes:
        model: Of the last round that is kept, or that it began with.
        rounds: Those that are kept.
        right: Labelled texts that the first model and each round's gets right, of those that the
            gate asks; empty without a gate.
    """

    model: TextClassifier
    rounds: list[Round]
    right: list[int]


def self_train(
    task: Task, first: TextClassifier, new_backbone: Callable[[], keras.Model], fit: Fit
) -> SelfTrained:
    """Train on pseudo-labelled texts too, as long as the gate lets rounds pass.

    Args:
        task: What is learned; its split `unlabeled` has the texts without labels.
        first: The model to begin with.
        new_backbone: Gives the encoder to begin each training with.
        fit: Has each model trained.
    """
    settings, right = task.config.self_train, []
    number_of_rounds = settings.rounds
    if settings.gate == "cross_fit":
        right = _cross_fitted(task, new_backbone, fit)
        number_of_rounds = self_training.kept_rounds(right)
        logger.info("Of cross-fitted labelled texts right, round by round: %s.", right)
    elif settings.gate == "dev":
        right = [_right_on_dev(task, first)]
    model, kept = first, []
    for number in range(1, number_of_rounds + 1):
        student, found = train_round(task, model, new_backbone, fit, f"round-{number}")
        if settings.gate == "dev":
            right.append(_right_on_dev(task, student))
            if right[-1] <= right[-2]:
                break
        model = student
        kept.append(found)
    if len(kept) < settings.rounds:
        logger.info("Self-training: %d rounds kept, the next does not help.", len(kept))
    return SelfTrained(model, kept, right)


def model_names(settings: SelfTraining) -> list[str]:
    """Return the names under which `self_train` may have models trained."""
    rounds = range(settings.rounds + 1)
    names = [f"round-{number}" for number in rounds]
    return names + [f"fold-{fold}-round-{n}" for fold in range(settings.folds) for n in rounds]


def _cross_fitted(task: Task, new_backbone: Callable[[], keras.Model], fit: Fit) -> list[int]:
    """Return how many held-out labelled texts the first model and each round's gets right."""
    settings = task.config.self_train
    right = np.zeros(settings.rounds + 1, int)
    for fold, part in enumerate(folds(task, settings.folds)):
        model = first(part, new_backbone, fit, f"fold-{fold}-round-0")
        right[0] += _right_on_dev(part, model)
        for number in range(1, settings.rounds + 1):
            model, _ = train_round(part, model, new_backbone, fit, f"fold-{fold}-round-{number}")
            right[number] += _right_on_dev(part, model)
    return right.tolist()


def first(
    task: Task, new_backbone: Callable[[], keras.Model], fit: Fit, name: str
) -> TextClassifier:
    """Return the model of the mixed phase; arguments are those of `self_train`, and its name."""

    def train(record: Record) -> Fitted:
        scores = None
        if task.method.uses_typicality:
            scores = task_typicality.scores(task, {}, new_backbone, record)
        return phases.meta_fine_tune(task, new_backbone(), record, scores)

    model, _ = fit(name, train)
    return model


def train_round(
    task: Task,
    teacher: TextClassifier,
    new_backbone: Callable[[], keras.Model],
    fit: Fit,
    name: str,
) -> tuple[TextClassifier, Round]:
    """Return a round's model, and what it learned from; `teacher` is the model before it."""
    settings = task.config.self_train
    guesses = self_training.label(task, teacher)
    chosen = self_training.choose(task, guesses, settings)
    student, history = fit(
        name,
        lambda record: self_training.learn(task, teacher, chosen, new_backbone(), record, settings),
    )
    return student, Round(guesses, chosen, history)


def _right_on_dev(task: Task, model: TextClassifier) -> int:
    rows = task.splits["dev"]
    guessed = class_probabilities(model, "the gate", task.tokens, rows).argmax(axis=1)
    return int((guessed == np.asarray(task.tokens.labels)[rows]).sum())
