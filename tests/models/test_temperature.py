import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from easymft.models.temperature import fit_temperatures

RNG = np.random.default_rng(0)


def drawn(texts, temperature):
    """Logits, and labels that come as often as logits over the temperature say."""
    logits = RNG.normal(size=(texts, 3)) * 4
    chances = softmax(logits / temperature, axis=1)
    return softmax(logits, axis=1), (RNG.random((texts, 1)) > chances.cumsum(axis=1)).sum(axis=1)


def test_the_temperatures_that_labels_were_drawn_with_are_found():
    parts = [drawn(20_000, temperature) for temperature in (2.0, 0.8)]
    probabilities, labels = (np.concatenate(values) for values in zip(*parts, strict=True))
    shared, own = fit_temperatures(probabilities, labels, np.repeat([0, 1], 20_000), 2)
    np.testing.assert_allclose(own, [2.0, 0.8], rtol=0.05)
    assert 0.8 < shared < 2.0


def test_few_texts_stay_near_the_shared_temperature_and_none_have_it():
    probabilities, labels = drawn(2_000, 2.0)
    few = np.array([[0.99, 0.01, 0.0]] * 3)  # all wrong: they alone would call for the limit, 20
    probabilities = np.concatenate([probabilities, few])
    labels, domains = np.append(labels, [1, 1, 1]), np.append(np.zeros(2_000, int), [1, 1, 1])
    shared, own = fit_temperatures(probabilities, labels, domains, 3)
    assert shared < own[1] < 2 * shared
    assert own[2] == shared


def test_a_domains_temperature_minimizes_what_it_says():
    probabilities, labels = drawn(30, 1.5)
    domains = np.arange(30) % 2
    shared, own = fit_temperatures(probabilities, labels, domains, 2)
    mine = domains == 1

    def loss(temperature):
        scaled = log_softmax(np.log(probabilities[mine]) / temperature, axis=1)
        likelihood = scaled[np.arange(mine.sum()), labels[mine]].sum()
        return np.log(temperature / shared) ** 2 / (2 * 0.25**2) - likelihood

    grid = np.linspace(0.3, 6, 20_000)
    assert own[1] == pytest.approx(grid[np.argmin([loss(t) for t in grid])], rel=1e-3)


def test_without_texts_nothing_changes():
    shared, own = fit_temperatures(np.zeros((0, 2)), np.array([], int), np.array([], int), 2)
    assert shared == 1
    assert own.tolist() == [1, 1]
