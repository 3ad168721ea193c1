"""Means, standard errors and paired intervals, against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from easymft.report.statistics import mean_and_error, paired_difference


def test_mean_and_standard_error():
    # Deviations -1, 0, 1: variance 2/2 = 1, error 1/sqrt(3).
    assert mean_and_error([1, 2, 3]) == (2.0, pytest.approx(1 / np.sqrt(3)))
    assert mean_and_error([4.0]) == (4.0, None)


def right(*seeds):
    """Rows of who was right: per seed, a dict of a domain's outcomes, named by their place."""
    return pd.DataFrame(
        [
            {"seed": seed, "domain": domain, "id": f"{domain}{i}", "right": float(hit)}
            for seed, domains in enumerate(seeds, 1)
            for domain, texts in domains.items()
            for i, hit in (texts.items() if isinstance(texts, dict) else enumerate(texts))
        ]
    )


def test_the_difference_is_that_of_averages_over_domains():
    one = right({"a": [1, 1, 1, 0], "b": [1, 0]}, {"a": [1, 1, 0, 0], "b": [1, 1]})
    other = right({"a": [1, 0, 0, 0], "b": [1, 0]}, {"a": [1, 1, 0, 0], "b": [0, 1]})
    # Seed 1: a 3/4 - 1/4, b equal, so 1/4 on average. Seed 2: a equal, b 2/2 - 1/2, so 1/4.
    mean, low, high = paired_difference(one, other)
    assert mean == pytest.approx(0.25)
    assert low <= mean <= high


def test_equal_gains_everywhere_leave_no_doubt():
    one = right(*[{"a": [1] * 5, "b": [1] * 3}] * 2)
    other = right(*[{"a": [0] * 5, "b": [0] * 3}] * 2)
    assert paired_difference(one, other) == (1.0, pytest.approx(1.0), pytest.approx(1.0))
    assert paired_difference(one, one) == (0.0, 0.0, 0.0)


def test_the_interval_is_that_of_a_binomial_for_one_seed_and_domain():
    # Gains of 1 in 50 of 200 texts: a resampled mean is a binomial share with p = 1/4.
    one, other = right({"a": [1] * 50 + [0] * 150}), right({"a": [0] * 200})
    mean, low, high = paired_difference(one, other, draws=20_000)
    error = np.sqrt(0.25 * 0.75 / 200)
    assert mean == pytest.approx(0.25)
    assert low == pytest.approx(0.25 - 1.96 * error, abs=0.005)
    assert high == pytest.approx(0.25 + 1.96 * error, abs=0.005)


def test_texts_that_seeds_share_do_not_count_twice():
    # Two seeds with the same outcome on the same texts say no more than one of them.
    outcome, nothing = {"a": [1] * 50 + [0] * 150}, {"a": [0] * 200}
    _, low, high = paired_difference(right(outcome), right(nothing))
    _, low2, high2 = paired_difference(right(outcome, outcome), right(nothing, nothing))
    assert high2 - low2 == pytest.approx(high - low, abs=0.01)
    # On other texts they do. A draw takes both seeds (weights 1/2, 1/2) half the time and one of
    # them twice otherwise, so the variance is 1/2 * 1/2 + 1/2 * 1 = 3/4 of one seed's.
    fresh = {"a": {f"new-{i}": hit for i, hit in enumerate(outcome["a"])}}
    none = {"a": dict.fromkeys(fresh["a"], 0)}
    _, low3, high3 = paired_difference(right(outcome, fresh), right(nothing, none))
    assert (high3 - low3) / (high - low) == pytest.approx(np.sqrt(0.75), abs=0.06)


def test_texts_that_only_some_seeds_share_count_once_for_these():
    # Half of each seed's 200 texts are the other's too, and as often answered right. With both
    # seeds drawn (half the time) the mean weighs a shared text twice as much as another, so its
    # variance is (100 * 2^2 + 200 * 1^2) / 400^2 of a text's, 3/4 of one seed's 1 / 200; with one
    # seed drawn twice it is one seed's: 1/2 * 3/4 + 1/2 * 1 = 7/8 together.
    half = [1] * 25 + [0] * 75
    seeds = [
        {"a": {f"{name}-{i}": hit for name in names for i, hit in enumerate(half)}}
        for names in (("shared", "one"), ("shared", "other"))
    ]
    none = [{"a": dict.fromkeys(seed["a"], 0)} for seed in seeds]
    _, low, high = paired_difference(right(seeds[0]), right(none[0]))
    mean, low2, high2 = paired_difference(right(*seeds), right(*none))
    assert mean == 0.25
    assert (high2 - low2) / (high - low) == pytest.approx(np.sqrt(7 / 8), abs=0.05)


def test_folds_may_lack_a_domain():
    # Seed 1 gains 1/2 in a and 0 in b, seed 2 was tested on a alone: (1/4 + 1) / 2.
    one = right({"a": [1, 0], "b": [0]}, {"a": {"new": 1}})
    other = right({"a": [0, 0], "b": [0]}, {"a": {"new": 0}})
    mean, low, high = paired_difference(one, other)
    assert mean == pytest.approx(0.625)
    assert (low, high) == (0.0, 1.0)  # seed 1 twice with no gain in a; seed 2 twice


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([{"a": [1, 0]}], [{"a": [1, 0, 1]}]),
        ([{"a": [1, 0]}], [{"b": [1, 0]}]),
        ([{"a": [1]}, {"a": [0]}], [{"a": [1]}]),
    ],
)
def test_other_texts_are_refused(one, other):
    with pytest.raises(ValueError, match="same texts"):
        paired_difference(right(*one), right(*other))


def test_a_text_twice_under_one_seed_is_refused():
    twice = pd.concat([right({"a": [1]})] * 2)
    with pytest.raises(ValueError, match="duplicate"):
        paired_difference(twice, twice)
