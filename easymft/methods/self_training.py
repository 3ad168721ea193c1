"""Self-training: label texts that have none, choose the surest, train a fresh encoder on them too.

Reference: Xie et al.: Self-training with noisy student, CVPR 2020, for the fresh learner and soft
targets. The loss of these is the cross-entropy with the teacher's probabilities, -sum_m q_m log p_m
(Hinton et al.: Distilling the knowledge in a neural network, 2015, at temperature 1).
"""

import dataclasses

import keras
import numpy as np

from easymft.config import SelfTraining
from easymft.data.corpus.parts import UNLABELED
from easymft.methods import phases
from easymft.methods.checkpoint import History
from easymft.methods.phases import Record, Task
from easymft.models import TextClassifier, pseudo_labels
from easymft.models.pseudo_labels import PseudoLabels


def label(task: Task, model: TextClassifier) -> PseudoLabels:
    """Label a task's texts without labels.

    Args:
        task: What is learned; rows of its split `unlabeled` are labelled.
        model: A model that has learned it.
    """
    rows = task.splits["train"], task.splits[UNLABELED]
    return pseudo_labels.label(model, task.tokens, *rows, phases.weighting(task))


def choose(task: Task, guesses: PseudoLabels, settings: SelfTraining) -> PseudoLabels:
    """Return the surest guesses of every domain and class; see `pseudo_labels.choose`."""
    counts = pseudo_labels.cell_counts(
        task.tokens, task.splits["train"], task.num_domains, task.num_classes
    )
    domains = np.asarray(task.tokens.domains)[guesses.rows]
    return pseudo_labels.choose(guesses, domains, counts, settings.choose_by, settings.share)


def learn(
    task: Task,
    teacher: TextClassifier,
    chosen: PseudoLabels,
    backbone: keras.Model,
    record: Record,
    settings: SelfTraining,
) -> tuple[TextClassifier, History]:
    """Train a fresh model on labelled and pseudo-labelled texts, as `phases.meta_fine_tune` does.

    Args:
        task: What is learned.
        teacher: The model that labelled; its encoder gives the typicalities that weights need.
        chosen: The pseudo-labelled texts.
        backbone: The encoder to begin with.
        record: Runs the training.
        settings: How often labelled texts are seen, for how long, and what the others are taught
            and weigh.
    """
    student, scores, weights, targets = _student_task(task, chosen, settings), None, None, None
    rows = student.splits["train"]
    pseudo = slice(len(rows) - len(chosen.rows), None)  # the places of the pseudo-labelled
    if task.method.uses_typicality:
        scores = phases.score(student, teacher, {"train": rows})
    elif settings.weight_by != "none":
        weights = np.ones(len(rows), np.float32)
        weights[pseudo] = chosen.weights(settings.weight_by)
    if settings.targets == "soft":
        targets = keras.utils.to_categorical(student.tokens.labels[rows], task.num_classes)
        targets[pseudo] = chosen.probabilities
    return phases.meta_fine_tune(student, backbone, record, scores, weights, targets)


def _student_task(task: Task, chosen: PseudoLabels, settings: SelfTraining) -> Task:
    """Return a task with the pseudo-labels in the place of whatever labels those texts have."""
    labels = np.array(task.tokens.labels)
    labels[chosen.rows] = chosen.labels
    train = np.concatenate([np.tile(task.splits["train"], settings.labeled_repeats), chosen.rows])
    config = task.config
    phase = config.meta_fine_tune.model_copy(update={"epochs": settings.epochs})
    # A method of one phase adds up the epochs of both.
    own = config.fine_tune.model_copy(update={"epochs": 0})
    return dataclasses.replace(
        task,
        config=config.model_copy(update={"meta_fine_tune": phase, "fine_tune": own}),
        tokens=dataclasses.replace(task.tokens, labels=labels),
        splits={**task.splits, "train": train},
    )


def kept_rounds(right: list[int]) -> int:
    """Return how many rounds are kept: all before the first that gets no more texts right.

    Args:
        right: Numbers of texts that the first model and each round's gets right.
    """
    better = np.diff(right) > 0
    return len(better) if better.all() else int(np.argmin(better))
