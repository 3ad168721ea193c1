"""Texts dealt into folds, each of which is held out once."""

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
    for places in deal(cells, np.arange(len(rows)), number, task.config.seed):
        held_out = np.sort(rows[places])
        train = np.setdiff1d(rows, held_out)
        splits = {**task.splits, "train": train, "dev": held_out}
        yield dataclasses.replace(task, config=config, splits=splits)


def deal(cells: np.ndarray, groups: np.ndarray, number: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the places of each fold, stratified by cell as far as there are enough texts.

    Texts of a group stand in one fold: a model that learned from a text's repetition would answer
    by heart.

    Args:
        cells: int `(texts,)`, domain and class.
        groups: int `(texts,)`, equal for texts that are the same.
        number: Of folds.
        seed: Of the deal.
    """
    _, first, group_of = np.unique(groups, return_index=True, return_inverse=True)
    random = np.random.Generator(np.random.PCG64([seed, number]))
    mixed = random.permutation(len(first))
    dealt = mixed[np.argsort(cells[first][mixed], kind="stable")]
    fold_of = np.empty(len(first), int)
    fold_of[dealt] = np.arange(len(dealt)) % number
    for fold in range(number):
        yield np.flatnonzero(fold_of[group_of] == fold)
