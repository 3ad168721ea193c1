"""Which pseudo-labelled texts are chosen, and which rounds are kept: worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from easymft.config import METHODS, Config, SelfTraining
from easymft.methods import phases
from easymft.methods.self_training import choose, kept_rounds, learn
from easymft.models import pseudo_labels
from easymft.models.pseudo_labels import PseudoLabels
from tests.models.tiny import NUM_CLASSES, NUM_DOMAINS, tiny_backbone, tokenized


def task(labels, domains, train):
    tokens = SimpleNamespace(labels=np.array(labels), domains=np.array(domains))
    splits = {"train": np.array(train)}
    return SimpleNamespace(
        tokens=tokens, splits=splits, num_domains=2, num_classes=2, config=SimpleNamespace(seed=1)
    )


def guesses(rows, labels, confidence, margin):
    labels, sure, margin = np.array(labels), np.array(confidence), np.array(margin)
    probabilities = np.stack([np.where(labels == code, sure, 1 - sure) for code in (0, 1)], axis=1)
    return PseudoLabels(np.array(rows), labels, probabilities, margin, margin)


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
    found = pseudo_labels.of_scores(np.array([7, 9]), probabilities, typicalities)
    assert found.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(found.probabilities, probabilities)
    np.testing.assert_allclose(found.confidence, [0.5, 0.8])
    np.testing.assert_allclose(found.typicality, [0.4, 0.2])
    np.testing.assert_allclose(found.margin, [0.1, -0.7], atol=1e-7)


@pytest.mark.parametrize(
    ("right", "kept"),
    [([5, 6, 7], 2), ([5, 6, 6], 1), ([5, 6, 5, 9], 1), ([5, 5], 0), ([5, 4, 6], 0)],
)
def test_rounds_before_the_first_that_does_not_help_are_kept(right, kept):
    assert kept_rounds(right) == kept


def taught(chosen, **settings):
    """The texts that a student learns from, with two labelled texts that it sees twice."""
    config = Config(name="a", method="mix_self", mft={"refresh_typicality": True})
    splits = {"train": np.array([3, 5]), "dev": np.array([], int)}
    tokens, domains = tokenized(12), list("abc")[:NUM_DOMAINS]
    given = phases.Task(config, METHODS["mix_self"], tokens, splits, NUM_CLASSES, domains)
    kept = []

    def record(trainer, title, texts, of=None):
        kept.append(texts)
        return []

    settings = SelfTraining(labeled_repeats=2, **settings)
    learn(given, None, chosen, tiny_backbone(num_layers=1), record, settings)
    return kept[0], tokens.labels[[3, 5, 3, 5]]


CHOSEN = guesses([7, 9, 8], [1, 0, 1], [0.9, 0.6, 0.75], [-0.5, 0.2, 0.4])


def test_soft_targets_are_the_probabilities_and_labels_stay_sure():
    texts, labels = taught(CHOSEN, targets="soft")
    assert texts.rows.tolist() == [3, 5, 3, 5, 7, 9, 8]
    np.testing.assert_array_equal(texts.targets[:4], np.eye(2)[labels])
    np.testing.assert_allclose(texts.targets[4:], [[0.1, 0.9], [0.6, 0.4], [0.25, 0.75]])
    assert taught(CHOSEN)[0].targets is None


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        # Negative ones count as 0; the others in proportion, at a mean of 1.
        ("typicality", [0, 1, 2]),
        ("confidence", [1.2, 0.8, 1]),
    ],
)
def test_a_pseudo_labelled_text_counts_by_what_it_is_sure_by(by, expected):
    texts, _ = taught(CHOSEN, weight_by=by)
    np.testing.assert_allclose(texts.sample_weight, [1, 1, 1, 1, *expected], rtol=1e-6)
    assert taught(CHOSEN)[0].sample_weight is None


@pytest.mark.parametrize("sure", [[-0.1, -0.2, 0.0], []])
def test_where_nothing_is_sure_or_chosen_all_count_alike(sure):
    chosen = CHOSEN.take(np.arange(len(sure)))
    object.__setattr__(chosen, "typicality", np.array(sure))
    texts, _ = taught(chosen, weight_by="typicality", targets="soft")
    np.testing.assert_array_equal(texts.sample_weight, np.ones(4 + len(sure)))
    assert len(texts.targets) == len(texts.rows)
