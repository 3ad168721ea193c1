import numpy as np
import pytest

from easymft.auditing.repetitions import groups_of

WORDS = [f"w{number}" for number in range(20)]
TEXT = " ".join(WORDS)


def test_texts_that_differ_by_case_and_punctuation_are_the_same():
    groups = groups_of(["Good, really good!", "something else is here", "good really GOOD"], 1.0)
    assert groups.tolist() == [0, 1, 0]


# Of 18 runs of three words 17 are the same, of 19 in all: 0.89.
@pytest.mark.parametrize(("threshold", "same"), [(0.85, True), (0.92, False)])
def test_near_repetitions_share_most_of_their_runs_of_words(threshold, same):
    near = " ".join([*WORDS[:-1], "other"])
    groups = groups_of([TEXT, "a text of other words altogether", near], threshold)
    assert (groups[0] == groups[2]) is np.bool_(same)
    assert groups[0] != groups[1]


def test_short_texts_are_the_same_as_a_whole():
    groups = groups_of(["good", "good stuff", "Good.", "!!!", "???", "!!!"], 0.8)
    assert groups.tolist() == [0, 1, 0, 2, 3, 2]


def test_repetitions_of_repetitions_are_one_group():
    one, two = ([*WORDS[:place], "x", *WORDS[place + 1 :]] for place in (0, 19))
    groups = groups_of([" ".join(one), TEXT, " ".join(two)], 0.85)
    assert groups.tolist() == [0, 0, 0]
