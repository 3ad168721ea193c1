"""Means, standard errors and paired intervals, against numbers worked out by hand."""

import numpy as np
import pytest

from easymft.report.statistics import mean_and_error, paired_difference


def test_mean_and_standard_error():
    # Deviations -1, 0, 1: variance 2/2 = 1, error 1/sqrt(3).
    assert mean_and_error([1, 2, 3]) == (2.0, pytest.approx(1 / np.sqrt(3)))
    assert mean_and_error([4.0]) == (4.0, None)


def hits(**domains):
    return {
        domain: {f"{domain}{i}": float(hit) for i, hit in enumerate(texts)}
        for domain, texts in domains.items()
    }


def test_the_difference_is_that_of_averages_over_domains():
    one = [hits(a=[1, 1, 1, 0], b=[1, 0]), hits(a=[1, 1, 0, 0], b=[1, 1])]
    other = [hits(a=[1, 0, 0, 0], b=[1, 0]), hits(a=[1, 1, 0, 0], b=[0, 1])]
    # Seed 1: a 3/4 - 1/4, b equal, so 1/4 on average. Seed 2: a equal, b 2/2 - 1/2, so 1/4.
    mean, low, high = paired_difference(one, other)
    assert mean == pytest.approx(0.25)
    assert low <= mean <= high


def test_equal_gains_everywhere_leave_no_doubt():
    one, other = [hits(a=[1] * 5, b=[1] * 3)] * 2, [hits(a=[0] * 5, b=[0] * 3)] * 2
    assert paired_difference(one, other) == (1.0, pytest.approx(1.0), pytest.approx(1.0))
    assert paired_difference(one, one) == (0.0, 0.0, 0.0)


def test_the_interval_is_that_of_a_binomial_for_one_seed_and_domain():
    # Gains of 1 in 50 of 200 texts: a resampled mean is a binomial share with p = 1/4.
    one, other = [hits(a=[1] * 50 + [0] * 150)], [hits(a=[0] * 200)]
    mean, low, high = paired_difference(one, other, draws=20_000)
    error = np.sqrt(0.25 * 0.75 / 200)
    assert mean == pytest.approx(0.25)
    assert low == pytest.approx(0.25 - 1.96 * error, abs=0.005)
    assert high == pytest.approx(0.25 + 1.96 * error, abs=0.005)


def test_texts_that_seeds_share_do_not_count_twice():
    # Two seeds with the same outcome on the same texts say no more than one of them.
    outcome = hits(a=[1] * 50 + [0] * 150)
    nothing = hits(a=[0] * 200)
    _, low, high = paired_difference([outcome], [nothing])
    _, low2, high2 = paired_difference([outcome] * 2, [nothing] * 2)
    assert high2 - low2 == pytest.approx(high - low, abs=0.01)
    # On other texts they do. A draw takes both seeds (weights 1/2, 1/2) half the time and one of
    # them twice otherwise, so the variance is 1/2 * 1/2 + 1/2 * 1 = 3/4 of one seed's.
    fresh = {"a": {f"new-{key}": hit for key, hit in outcome["a"].items()}}
    _, low3, high3 = paired_difference(
        [outcome, fresh], [nothing, {"a": dict.fromkeys(fresh["a"], 0.0)}]
    )
    assert (high3 - low3) / (high - low) == pytest.approx(np.sqrt(0.75), abs=0.06)


def test_other_texts_are_refused():
    with pytest.raises(ValueError, match="same texts"):
        paired_difference([hits(a=[1, 0])], [hits(a=[1, 0, 1])])
