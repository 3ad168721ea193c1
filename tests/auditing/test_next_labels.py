import numpy as np
import pytest

from easymft.auditing.next_labels import Curves, diverse, leads, learning_curves, split_budget
from easymft.methods.logistic import Shrinkage

ROOM = np.array([100, 100])


def test_a_lead_is_that_of_the_most_probable_class():
    assert leads(np.array([[0.2, 0.5, 0.3], [0.1, 0.0, 0.9]])) == pytest.approx([0.2, 0.8])


def test_errors_fall_by_a_power_of_the_texts():
    curves = Curves(np.array([100, 50]), np.array([0.2, 0.1]), 0.5)
    # Four times the texts, half the errors.
    assert curves.after(np.array([300, 150])) == pytest.approx([0.1, 0.05])


def test_the_worst_domain_gets_what_is_beyond_half_an_equal_share():
    curves = Curves(np.array([100, 100]), np.array([0.3, 0.1]), 0.2)
    assert split_budget(curves, ROOM, 40).tolist() == [30, 10]


def test_labels_go_where_they_make_domains_equally_bad():
    # 0.2 * 10 / (10 + 30) = 0.1 * 10 / (10 + 10)
    curves = Curves(np.array([10, 10]), np.array([0.2, 0.1]), 1.0)
    assert split_budget(curves, ROOM, 40).tolist() == [30, 10]


def test_no_domain_gets_more_than_it_has_texts_and_flat_curves_are_fair():
    curves = Curves(np.array([100, 100]), np.array([0.3, 0.1]), 0.2)
    assert split_budget(curves, np.array([5, 100]), 40).tolist() == [5, 35]
    assert split_budget(curves, np.array([5, 7]), 40).tolist() == [5, 7]
    assert split_budget(curves, np.array([0, 0]), 40).tolist() == [0, 0]
    flat = Curves(np.array([100, 100]), np.array([0.3, 0.1]), 0.0)
    assert split_budget(flat, ROOM, 41).tolist() == [21, 20]


def test_chosen_texts_are_of_large_weight_and_no_two_alike():
    angles = np.repeat([0.1, 1.5, 3.0], 4) + np.tile([0, 0.01, 0.02, 0.03], 3)
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    weights = np.full(12, 0.9)
    assert sorted(diverse(embeddings, weights, 3, seed=1) // 4) == [0, 1, 2]
    # 30 candidates for three labels: the ten certain ones are not among them.
    many = np.concatenate([np.tile(embeddings, (3, 1)), np.full((10, 2), 5.0)])
    chosen = diverse(many, np.concatenate([np.full(36, 0.9), np.zeros(10)]), 3, seed=1)
    assert chosen.max() < 36
    assert diverse(embeddings, weights, 20, seed=1).tolist() == list(range(12))
    assert diverse(embeddings, weights, 0, seed=1).tolist() == []
    same = diverse(np.ones((8, 2)), np.ones(8), 3, seed=1)
    assert len(set(same)) == 3


def test_curves_see_which_domain_is_harder():
    random = np.random.default_rng(0)
    labels, domains = np.arange(240) % 2, np.arange(240) // 120
    embeddings = random.normal(size=(240, 8))
    embeddings[:, 0] += (2 * labels - 1) * np.where(domains == 0, 2.5, 0.3)
    curves = learning_curves(embeddings, labels, domains, (2, 2), Shrinkage(0.3, 0.1), seed=1)
    assert curves.texts.tolist() == [120, 120]
    assert curves.errors[0] < 0.1 < 0.25 < curves.errors[1]
    assert curves.exponent >= 0
