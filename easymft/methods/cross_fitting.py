"""Answers to training texts by models that did not learn from them, fold by fold.

What the model of all texts is worth can then be told without setting texts aside. Reference: Stone:
Cross-validatory choice and assessment of statistical predictions, JRSS B 36, 1974; that scores so
gained calibrate the model of all texts is scikit-learn's `CalibratedClassifierCV(ensemble=False)`.
"""

from collections.abc import Callable

import keras
import numpy as np

from easymft.config.method import BY_FINE_TUNED, BY_META_LEARNER
from easymft.methods import phases, rounds
from easymft.methods.evaluation import class_probabilities
from easymft.methods.phases import Record, Task
from easymft.methods.rounds import Fitted
from easymft.models import TextClassifier

NewBackbone = Callable[[], keras.Model]
Answers = dict[str, tuple[np.ndarray, np.ndarray]]
"""Rows and their class probabilities, `(rows, classes)`, by which of a method's two models."""


def answer_held_out(part: Task, new_backbone: NewBackbone, record: Record) -> Answers:
    """Train a method's models on a fold's training texts, and have them answer the others.

    Args:
        part: Of `easymft.methods.folds.folds`.
        new_backbone: Gives the encoder that each training begins with.
        record: Runs each training.
    """
    answers: Answers = {}
    mixed, own = part.phases
    if mixed is None:
        learner = phases.untrained(part, new_backbone())
    else:
        learner = _learner(part, new_backbone, record)
        answers[BY_META_LEARNER] = _answers(learner, part, part.splits["dev"])
    if own is None:
        # A method may have a second phase, and no epochs in it.
        names = [*answers, *([BY_FINE_TUNED] if part.method.fine_tunes else [])]
        return dict.fromkeys(names, answers[BY_META_LEARNER])
    if own.parts != "all":
        adapted, _ = phases.fine_tune_parts(part, learner, record)
        return {**answers, BY_FINE_TUNED: _answers(adapted, part, part.splits["dev"])}
    tuning, tuned = phases.FineTuning(part, learner), []
    for code in range(part.num_domains):
        train, held_out = (_of_domain(part, split, code) for split in ("train", "dev"))
        if len(train) and len(held_out):
            tuning.run(code, record, train)
            tuned.append(_answers(tuning.model, part, held_out))
    if tuned:
        columns = (np.concatenate(column) for column in zip(*tuned, strict=True))
        answers[BY_FINE_TUNED] = next(columns), next(columns)
    return answers


def _learner(part: Task, new_backbone: NewBackbone, record: Record) -> TextClassifier:
    """Return the model of the phase over all domains, after as many rounds as are asked for."""

    def fit(name: str, train: Callable[[Record], Fitted]) -> Fitted:
        return train(record)

    learner = rounds.first(part, new_backbone, fit, "first")
    if part.method.self_trains:
        for number in range(1, part.config.self_train.rounds + 1):
            learner, _ = rounds.train_round(part, learner, new_backbone, fit, f"round-{number}")
    return learner


def _of_domain(part: Task, split: str, code: int) -> np.ndarray:
    rows = part.splits[split]
    return rows[np.asarray(part.tokens.domains)[rows] == code]


def _answers(model: TextClassifier, part: Task, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rows, class_probabilities(model, "held-out texts", part.tokens, rows)
