"""Wrong labels on purpose."""

import numpy as np
import pytest

from easymft.data.corpus.label_noise import flip_labels


@pytest.mark.parametrize(
    ("share", "flipped"), [(0.0, 0), (0.2, 20), (0.204, 20), (0.206, 21), (0.99, 99)]
)
def test_the_share_of_labels_changes_and_stays_in_range(share, flipped):
    labels = np.arange(100, dtype="int32") % 3
    noisy = flip_labels(labels, 3, share, seed=7)
    assert (noisy != labels).sum() == flipped
    assert noisy.dtype == labels.dtype
    assert set(noisy) <= {0, 1, 2}
    assert (labels == np.arange(100) % 3).all()  # the argument is left alone


def test_every_other_class_is_drawn():
    noisy = flip_labels(np.zeros(3000, int), 4, 0.9, seed=1)
    counts = np.bincount(noisy)
    assert counts[0] == 300
    assert (np.abs(counts[1:] - 900) < 120).all()  # five standard deviations


def test_the_seed_decides():
    labels = np.zeros(50, int)
    first, again, other = (flip_labels(labels, 2, 0.2, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_one_class_has_no_other():
    assert (flip_labels(np.zeros(10, int), 1, 0.5, seed=0) == 0).all()
