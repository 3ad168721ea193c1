import numpy as np
import pytest

from easymft.models.abstention import lowest_threshold

# Of 22 answers 0.9^22 = 0.098 are all right by chance where 90 % are, of 21 0.109. One error of 38:
# 0.9^38 + 38 * 0.1 * 0.9^37 = 0.095, of 37: 0.104.
FIRST, SECOND = 22, 38


def ranked(texts, wrong=()):
    right = np.ones(texts, bool)
    right[list(wrong)] = False
    return np.linspace(1, 0.5, texts), right


@pytest.mark.parametrize(
    ("texts", "wrong", "answered"),
    [
        (FIRST - 1, [], 0),
        (FIRST, [], FIRST),
        (FIRST, [0], 0),
        (30, [], 30),  # all of them, the last that is tested
        (30, [FIRST], FIRST),  # one error of 30 is too many for all of them
        (SECOND, [5], 0),
        (150, [5], 150),  # a quarter of 150 are 38
        (45, [FIRST, SECOND - 1], FIRST),  # two errors among the 38 surest end it
        (45, [FIRST, SECOND], SECOND),  # and two among all 45 leave those
    ],
)
def test_what_is_answered_worked_by_hand(texts, wrong, answered):
    scores, right = ranked(texts, wrong)
    found = lowest_threshold(scores, right, 0.9, 0.9)
    assert found.answered == answered
    assert found.texts == texts
    assert found.right == right[:answered].sum()
    assert found.value == (scores[answered - 1] if answered else None)


def test_texts_of_one_score_are_answered_together_or_not_at_all():
    scores, right = ranked(FIRST + 8)
    scores[FIRST - 1 :] = 0.6
    assert lowest_threshold(scores, right, 0.9, 0.9).answered == FIRST + 8
    right[-2:] = False
    assert lowest_threshold(scores, right, 0.9, 0.9).value is None


def test_the_order_of_the_texts_makes_no_difference():
    scores, right = ranked(100, [30, 60, 61, 90])
    order = np.random.default_rng(0).permutation(100)
    assert lowest_threshold(scores[order], right[order], 0.9, 0.9) == lowest_threshold(
        scores, right, 0.9, 0.9
    )


def test_how_many_texts_are_needed():
    # log 0.1 / log 0.95 = 44.9.
    assert lowest_threshold(*ranked(0), 0.95, 0.9).needed == 45
    few = lowest_threshold(*ranked(15), 0.9, 0.9)
    assert FIRST <= few.needed <= 1.1 * FIRST + 1
    # Where half of the surest are wrong no number would do.
    assert lowest_threshold(*ranked(50, range(0, 50, 2)), 0.9, 0.9).needed is None


@pytest.mark.parametrize(("texts", "target"), [(100, 0.8), (400, 0.9)])
def test_the_promise_is_kept_as_often_as_was_said(texts, target):
    # A score u is right with probability u, so that answers from v on are right (1 + v) / 2.
    random, broken = np.random.default_rng(1), 0
    for _ in range(300):
        scores = random.uniform(0.5, 1, texts)
        found = lowest_threshold(scores, random.random(texts) < scores, target, 0.9)
        broken += found.value is not None and (1 + found.value) / 2 < target
    # 10 % are allowed; of 300 draws more than 13 % would come once in thirty times.
    assert broken / 300 <= 0.13
