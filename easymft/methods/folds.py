"""The labelled texts of a task, cut into folds of which each is held out once."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from easymft.methods.phases import Task


def folds(task: Task, number: int) -> Iterator[Task]:
    """Yield tasks that each learn from all labelled texts but a fold of them, their `dev` texts.

    The folds are stratified by domain and class, as far as there are enough texts. No training
    looks at its fold: an epoch that was chosen by it would answer it better than other texts.
    """
    blind = {"validation_freq": 0, "select_best_on_dev": False}
    update = {
        name: getattr(task.config, name).model_copy(update=blind)
        for name in ("meta_fine_tune", "fine_tune")
    }
    config = task.config.model_copy(update=update)
    rows, tokens = task.splits["train"], task.tokens
    cells = np.asarray(tokens.domains)[rows] * task.num_classes + np.asarray(tokens.labels)[rows]
    random = np.random.Generator(np.random.PCG64([task.config.seed, number]))
    mixed = random.permutation(len(rows))
    dealt = rows[mixed[np.argsort(cells[mixed], kind="stable")]]
    for fold in range(number):
        held_out = np.sort(dealt[fold::number])
        train = np.setdiff1d(rows, held_out)
        splits = {**task.splits, "train": train, "dev": held_out}
        yield dataclasses.replace(task, config=config, splits=splits)
