"""Typicality by encoders that have learned the task."""

import dataclasses

import numpy as np
import pytest

from easymft.config import METHODS
from easymft.config.loading import config_from_dict
from easymft.errors import InputError
from easymft.methods import task_typicality
from easymft.methods.phases import Task
from tests.models.tiny import tokenized

ROWS = np.array([7, 2, 9, 4, 0, 5])


def task(**mft):
    recipe = {"name": "t", "method": "mft", "seed": 1, "mft": mft}
    splits = {"train": ROWS, "dev": np.array([1]), "test": np.array([3])}
    return Task(config_from_dict(recipe), METHODS["mft"], tokenized(10, 1), splits, 3, ["books"])


def test_each_text_is_scored_by_an_encoder_that_did_not_learn_from_it():
    parts = task_typicality.parts(task(typicality_from="cross_fitted", typicality_folds=3))
    assert len(parts) == 3
    for part in parts:
        assert part.method is METHODS["mix"]
        assert sorted([*part.splits["train"], *part.splits["dev"]]) == sorted(ROWS)
    assert sorted(np.concatenate([part.splits["dev"] for part in parts])) == sorted(ROWS)
    (whole,) = task_typicality.parts(task(typicality_from="meta_learner"))
    np.testing.assert_array_equal(whole.splits["train"], ROWS)
    np.testing.assert_array_equal(whole.splits["dev"], ROWS)


def test_scores_of_parts_stand_in_the_order_of_the_training_texts():
    own = task(typicality_from="cross_fitted", typicality_folds=2)
    first, second = (
        dataclasses.replace(own, splits={**own.splits, "dev": np.array(rows)})
        for rows in ([2, 5, 9], [0, 4, 7])
    )
    found = task_typicality.joined(
        own,
        [
            (first, {"own": np.array([0.2, 0.5, 0.9]), "test": np.array([0.1])}),
            (second, {"own": np.array([0.0, 0.4, 0.7]), "test": np.array([0.5])}),
        ],
    )
    assert found["train"].dtype == np.float32
    np.testing.assert_allclose(found["train"], [0.7, 0.2, 0.9, 0.4, 0.0, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found["test"], [0.3])


def test_scoring_anew_in_every_epoch_is_by_the_encoder_in_training():
    with pytest.raises(InputError, match="leave it false"):
        task(typicality_from="cross_fitted", refresh_typicality=True)
