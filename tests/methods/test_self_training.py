"""Which pseudo-labelled texts are chosen, and which rounds are kept: worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from easymft.config import SelfTraining
from easymft.methods import self_training
from easymft.methods.self_training import PseudoLabels, choose, kept_rounds


def task(labels, domains, train):
    tokens = SimpleNamespace(labels=np.array(labels), domains=np.array(domains))
    splits = {"train": np.array(train)}
    return SimpleNamespace(
        tokens=tokens, splits=splits, num_domains=2, num_classes=2, config=SimpleNamespace(seed=1)
    )


def guesses(rows, labels, confidence, margin):
    columns = (np.array(values) for values in (confidence, margin, margin))
    return PseudoLabels(np.array(rows), np.array(labels), *columns)


# Rows 0 to 3 are labelled, all of domain 0, three of them of class 1; the others are guessed.
TASK = task([0, 1, 1, 1] + [0] * 12, [0] * 4 + [0] * 8 + [1] * 4, range(4))
GUESSES = guesses(
    range(4, 16),
    [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1],
    np.linspace(0.99, 0.55, 12),
    np.linspace(-0.1, 0.9, 12),
)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        # Of domain 0, half of 8 texts: 1 of class 0 and 3 of class 1, as 1 to 3 labelled ones.
        # Of domain 1, half of 4 in all labelled texts' proportions: 0.5 and 1.5, rounded up.
        ("confidence", [4, 8, 9, 10, 12, 14, 15]),
        ("typicality", [7, 9, 10, 11, 13, 14, 15]),
    ],
)
def test_the_surest_of_every_domain_and_class_are_chosen(by, expected):
    chosen = choose(TASK, GUESSES, SelfTraining(choose_by=by, share=0.5))
    assert chosen.rows.tolist() == expected
    assert chosen.labels.tolist() == [GUESSES.labels[row - 4] for row in expected]


def test_a_class_that_is_guessed_too_rarely_gives_all_it_has():
    few = guesses(range(4, 12), [0] * 7 + [1], [0.9] * 8, [0.1] * 8)
    chosen = choose(TASK, few, SelfTraining(share=1.0))
    # Of 8 texts 2 of class 0, the first among equals, and 6 of class 1, of which there is one.
    assert chosen.rows.tolist() == [4, 5, 11]


def test_the_margin_is_that_to_the_most_similar_other_class():
    probabilities = np.array([[0.2, 0.5, 0.3], [0.8, 0.1, 0.1]], np.float32)
    typicalities = np.array([[0.1, 0.4, 0.3], [0.2, 0.9, -0.5]], np.float32)
    found = self_training._of_scores(np.array([7, 9]), probabilities, typicalities)
    assert found.labels.tolist() == [1, 0]
    np.testing.assert_allclose(found.confidence, [0.5, 0.8])
    np.testing.assert_allclose(found.typicality, [0.4, 0.2])
    np.testing.assert_allclose(found.margin, [0.1, -0.7], atol=1e-7)


@pytest.mark.parametrize(
    ("right", "kept"),
    [([5, 6, 7], 2), ([5, 6, 6], 1), ([5, 6, 5, 9], 1), ([5, 5], 0), ([5, 4, 6], 0)],
)
def test_rounds_before_the_first_that_does_not_help_are_kept(right, kept):
    assert kept_rounds(right) == kept
