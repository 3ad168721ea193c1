import numpy as np
import pytest

from easymft.report.shift import Shift, stability_index


def test_the_index_worked_by_hand():
    # Half a text more in each bin: 1.5 and 4.5 of 6 against 4.5 and 1.5, so twice 1/2 * log 3.
    assert stability_index([1, 4], [4, 1]) == pytest.approx(np.log(3))
    assert stability_index([[3, 3], [9, 0]], [[5, 5], [9, 0]]).tolist() == [0, 0]


def test_what_has_moved_is_beyond_limit_and_chance():
    shift = Shift.of(np.array([500, 500]), np.array([300, 700]))
    assert shift.low < shift.index < shift.high
    assert shift.by_chance < shift.low
    assert shift.is_beyond(0.1)
    assert not shift.is_beyond(0.5)


def test_few_texts_move_by_chance():
    shift = Shift.of(np.array([5, 5]), np.array([3, 7]))
    assert shift.index > 0.1
    assert not shift.is_beyond(0.1)


@pytest.mark.parametrize("texts", [40, 1_000])
def test_chance_alone_is_beyond_itself_once_in_twenty_times(texts):
    random, shares = np.random.default_rng(0), [0.2, 0.3, 0.5]
    beyond = sum(
        Shift.of(random.multinomial(500, shares), random.multinomial(texts, shares)).is_beyond(0)
        for _ in range(200)
    )
    assert 2 <= beyond <= 20  # 10 on average


def test_an_empty_bin_is_no_infinity():
    shift = Shift.of(np.array([100, 0]), np.array([0, 100]))
    assert np.isfinite(shift.high)
    assert shift.is_beyond(1)
