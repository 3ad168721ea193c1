import numpy as np

from easymft.auditing import words

TEXTS = np.array(["good plot", "dull prose", "good battery", "dull sound"] * 5, object)
LABELS = np.array([1, 0] * 10)


def test_a_text_is_judged_by_the_words_of_others():
    held_out = [np.arange(0, 10), np.arange(10, 20)]
    found = words.cross_fit([TEXTS], LABELS, LABELS, held_out, 2)
    np.testing.assert_array_equal(found.argmax(axis=1), LABELS)
    # A label of one's own fold changes nothing of one's answer.
    other = LABELS.copy()
    other[0] = 0
    again = words.cross_fit([TEXTS], other, other, held_out, 2)
    np.testing.assert_allclose(again[:10], found[:10])
    assert np.abs(again[10:] - found[10:]).max() > 1e-4


def test_texts_without_words_are_judged_by_others():
    blank = np.full(20, "", object)
    assert words.cross_fit([blank], LABELS, LABELS, [np.arange(10), np.arange(10, 20)], 2) is None
