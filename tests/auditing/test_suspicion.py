import numpy as np
import pytest

from easymft.auditing.judgements import Judgements
from easymft.auditing.suspicion import label_issues, suspicion

LABELS = np.array([0] * 9 + [1])


def test_probabilities_become_calibrated():
    # 4 to 1 for class 0 ten times, and 9 of 10 have that label: the odds ought to be 9 to 1.
    judged = Judgements(np.tile([0.8, 0.2], (10, 1)), np.zeros((10, 2)))
    found = suspicion(judged, LABELS)
    assert found.score == pytest.approx([0.1] * 9 + [0.9], abs=1e-3)
    assert found.suggested.tolist() == [0] * 10
    assert found.parts[0] == pytest.approx(np.log(9) / np.log(4), abs=1e-3)


def test_typicality_counts_where_it_tells_more():
    typicalities = np.tile([0.3, 0.1], (10, 1))
    typicalities[5:] = [0.1, 0.3]
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0])  # one of five against it on either side
    found = suspicion(Judgements(np.full((10, 2), 0.5), typicalities), labels)
    against = np.isin(np.arange(10), [4, 9])
    assert found.score == pytest.approx(np.where(against, 0.8, 0.2), abs=1e-3)
    assert found.suggested.tolist() == [0] * 5 + [1] * 5


def test_what_tells_against_the_labels_counts_nothing():
    typicalities = np.where(LABELS[:, None] == [0, 1], -0.1, 0.1)
    found = suspicion(Judgements(np.tile([0.9, 0.1], (10, 1)), typicalities), LABELS)
    assert found.parts[1] == 0
    assert found.score == pytest.approx([0.1] * 9 + [0.9], abs=1e-3)


def test_a_class_that_the_domain_lacks_is_never_suggested():
    judged = Judgements(np.tile([0.3, 0.1, 0.0], (10, 1)), np.tile([0.0, 0.0, -np.inf], (10, 1)))
    found = suspicion(judged, LABELS)
    assert found.probabilities[:, 2].tolist() == [0] * 10
    assert set(found.suggested) == {0}


def test_cleanlab_finds_what_stands_out():
    labels = np.repeat([0, 1], 40)
    probabilities = np.where(labels[:, None] == [0, 1], 0.95, 0.05)
    labels[[3, 50, 60]] ^= 1
    assert np.flatnonzero(label_issues(probabilities, labels)).tolist() == [3, 50, 60]


def test_cleanlab_is_asked_about_classes_that_have_texts():
    probabilities = np.tile([0.5, 0.0, 0.5], (6, 1))
    assert label_issues(probabilities, np.array([0, 2] * 3)).shape == (6,)
    assert not label_issues(probabilities, np.zeros(6, int)).any()


def test_words_count_where_they_tell_more():
    # The model tells nothing; words are 2 to 1 for the class that four of five texts have.
    words = np.tile([2 / 3, 1 / 3], (10, 1))
    words[5:] = words[5:, ::-1]
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0])
    judged = Judgements(np.full((10, 2), 0.5), np.zeros((10, 2)), words)
    found = suspicion(judged, labels)
    assert found.parts[2] == pytest.approx(np.log(4) / np.log(2), abs=1e-3)
    assert found.score == pytest.approx(
        np.where(np.isin(np.arange(10), [4, 9]), 0.8, 0.2), abs=1e-3
    )
