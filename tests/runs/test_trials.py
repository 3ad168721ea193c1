"""Settings that a search tries, chosen by what those before got."""

import sys

import pytest

from easymft.errors import InputError
from easymft.runs.trials import TpeTrials, draw

SPACE = {
    "meta_fine_tune.learning_rate": [1e-5, 2e-5, 5e-5, 1e-4],
    "mft.alpha": [0.0, 0.25, 0.5, 0.75, 1.0],
    "adversary.strength": [0.1, 0.03],  # nothing to mft
}
OWN = {"meta_fine_tune": {"learning_rate": 2e-5}, "mft": {"alpha": 0.5}}


def accuracy(point):
    """Best at a rate of 1e-4 and an alpha of 1, neither of which the recipe has."""
    rate = point.get("meta_fine_tune.learning_rate", 2e-5)
    return 0.5 + 1000 * rate + 0.2 * point.get("mft.alpha", 0.5)


@pytest.fixture(autouse=True)
def _optuna():
    pytest.importorskip("optuna", reason="needs easymft[optuna]")


def asked(count, seed=0, given=OWN, space=SPACE):
    trials, found = TpeTrials(space, "mft", count, seed, given), []
    for _ in range(len(trials)):
        found.append(trials.ask())
        trials.tell(accuracy(found[-1]))
    return found


def test_the_recipe_comes_first_and_nothing_twice():
    found = asked(12)
    assert found[0] == {}
    assert len(found) == 12 == len(draw(SPACE, "mft", 12, 0, OWN))
    assert len({tuple(point.values()) for point in found}) == 12
    assert (2e-5, 0.5) not in {tuple(point.values()) for point in found}
    assert all(point.keys() == {*SPACE} - {"adversary.strength"} for point in found[1:])


def test_the_same_accuracies_lead_to_the_same_settings():
    assert asked(10) == asked(10) != asked(10, seed=1)
    # More trials go on from there, as far as the same number begins by chance.
    assert asked(7)[:3] == asked(8)[:3]


def test_a_grid_may_be_smaller_than_the_trials():
    """20 points, of which the recipe has one; all are tried, each once."""
    found = asked(100)
    assert len(found) == 20
    assert max(map(accuracy, found)) == pytest.approx(0.5 + 0.1 + 0.2)
    elsewhere = {"meta_fine_tune": {"learning_rate": 3e-5}, "mft": {"alpha": 0.5}}
    assert len(asked(100, given=elsewhere)) == 21


def test_what_did_well_is_looked_at_more_closely():
    """Of ten seeds' trials, more than by chance have the better half of the rates."""
    rates = [1e-5 * k for k in range(1, 11)]
    space = {**SPACE, "meta_fine_tune.learning_rate": rates}

    def of_high_rates(trials):
        return sum(point["meta_fine_tune.learning_rate"] > rates[4] for point in trials[1:])

    by_tpe = sum(of_high_rates(asked(20, seed, space=space)) for seed in range(10))
    by_chance = sum(of_high_rates(draw(space, "mft", 20, seed, OWN)) for seed in range(10))
    assert by_tpe > by_chance + 10


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"`search.sampler`: .*pip install 'easymft\[optuna\]'"):
        TpeTrials(SPACE, "mft", 3, 0, OWN)
