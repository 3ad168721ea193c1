"""Typicality by encoders that know the task: an extension, `mft.typicality_from`.

As it was pre-trained an encoder hardly tells the classes apart, so a text whose label is wrong is
about as typical as any. One that has learned the classes tells it, unless it learned the wrong
label too: hence folds, each scored by an encoder trained without it.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import keras
import numpy as np

from easymft.config import METHODS
from easymft.data.corpus.splits import Splits
from easymft.methods import phases
from easymft.methods.folds import folds
from easymft.methods.phases import Record, Task

Scores = dict[str, np.ndarray]
OWN = "own"


def parts(task: Task) -> list[Task]:
    """Return what encoders are to learn by plain mixing, one each, before they score `dev` texts.

    Those are a fold that the encoder does not learn from; with "meta_learner" all that it learned.
    """
    if task.config.mft.typicality_from == "cross_fitted":
        cut: Iterator[Task] = folds(task, task.config.mft.typicality_folds)
    else:
        cut = iter([dataclasses.replace(task, splits={**task.splits, "dev": task.splits["train"]})])
    return [dataclasses.replace(part, method=METHODS["mix"]) for part in cut]


def score_part(
    part: Task, others: Splits, new_backbone: Callable[[], keras.Model], record: Record
) -> Scores:
    """Train an encoder, and return the typicalities by it, not clipped.

    The centroids are those of the texts that it learned from.

    Args:
        part: Of `parts`.
        others: Rows of other texts, by split.
        new_backbone: Gives the encoder to begin with.
        record: Runs the training.

    Returns:
        float32 `(texts,)` of the part's texts to score, `OWN`, and of the others, by split.
    """
    model, _ = phases.meta_fine_tune(part, new_backbone(), record)
    found = phases.score(
        part, model, {"train": part.splits["train"], OWN: part.splits["dev"], **others}
    )
    del found["train"]
    return found


def joined(task: Task, scored: Sequence[tuple[Task, Mapping[str, np.ndarray]]]) -> Scores:
    """Return the typicalities of a task's training texts, and the mean of all parts' of others.

    Args:
        task: What was cut into `parts`.
        scored: Each with what `score_part` gave; others are named as in its `others`.
    """
    rows = task.splits["train"]
    train, place = np.zeros(len(rows), np.float32), np.argsort(rows)
    for part, found in scored:
        train[place[np.searchsorted(rows, part.splits["dev"], sorter=place)]] = found[OWN]
    names = [name for name in scored[0][1] if name != OWN]
    return {"train": train} | {
        name: np.mean([found[name] for _, found in scored], axis=0) for name in names
    }


def scores(
    task: Task, others: Splits, new_backbone: Callable[[], keras.Model], record: Record
) -> Scores:
    """Return the typicalities, not clipped, of a task's training texts and of others, by split.

    By the encoder as it was pre-trained, or as `mft.typicality_from` says. Arguments are those of
    `score_part`.
    """
    if not task.config.mft.scores_by_task:
        encoder = phases.untrained(task, new_backbone())
        return phases.score(task, encoder, {"train": task.splits["train"], **others})
    own = [(part, score_part(part, others, new_backbone, record)) for part in parts(task)]
    return joined(task, own)
