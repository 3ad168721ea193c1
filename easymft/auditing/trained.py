"""Cross-fitting with an encoder that is trained anew for every fold."""

import dataclasses
import gc
import logging
from collections.abc import Callable, Sequence

import keras
import numpy as np

from easymft.auditing.judgements import Judgements
from easymft.in_memory.training import ScratchRecord, seeded
from easymft.methods import phases
from easymft.methods.phases import Task
from easymft.models.pseudo_labels import class_scores

logger = logging.getLogger(__name__)


def cross_fit(
    task: Task,
    new_backbone: Callable[[], keras.Model],
    rows: np.ndarray,
    held_out: Sequence[np.ndarray],
) -> Judgements:
    """Return what models, one a fold, make of texts that they were not trained on.

    Args:
        task: What is learned, by a method whose mixed phase needs no typicality; its splits are
            not looked at.
        new_backbone: Gives the encoder that each training begins with.
        rows: int `(texts,)`, rows of the tokens that have labels.
        held_out: The places among `rows` of each fold.
    """
    record = ScratchRecord(logger.debug)
    judged, none = Judgements.none(len(rows), task.num_classes), np.array([], int)
    for number, fold in enumerate(held_out, start=1):
        train, asked = np.delete(rows, fold), rows[fold]
        part = dataclasses.replace(task, splits={"train": train, "dev": none, "test": none})
        with seeded(task.config.seed):
            model, _ = phases.meta_fine_tune(
                part, new_backbone(), record.of_fold(number, len(held_out))
            )
        layer = phases.weighting(task)
        places, start = fold, 0
        for own, *scores in class_scores(model, task.tokens, train, asked, layer):
            judged.put(places[start : start + len(own)], *scores)
            start += len(own)
        del model
        gc.collect()  # its graphs are of no use to the next
    return judged
