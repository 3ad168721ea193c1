import numpy as np
import pytest
from sklearn.metrics import f1_score

from easymft.report.intervals import accuracy_interval, macro_f1_interval


def test_accuracy_interval_is_wilsons():
    # (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), by hand for 8 of 10
    z, n, p = 1.959964, 10, 0.8
    middle, reach = p + z**2 / 2 / n, z * np.sqrt(p * (1 - p) / n + z**2 / 4 / n**2)
    expected = ((middle - reach) / (1 + z**2 / n), (middle + reach) / (1 + z**2 / n))
    assert accuracy_interval(8, 10) == pytest.approx(expected, abs=1e-6)


@pytest.mark.long
def test_macro_f1_interval_is_that_of_resampled_texts():
    confusion = [[30, 10, 0], [5, 25, 10], [0, 0, 0]]
    true = np.repeat([0, 0, 1, 1, 1], [30, 10, 5, 25, 10])
    predicted = np.repeat([0, 1, 0, 1, 2], [30, 10, 5, 25, 10])
    random = np.random.default_rng(5)
    scores = []
    for _ in range(300):
        rows = random.integers(80, size=80)
        scores.append(f1_score(true[rows], predicted[rows], average="macro"))
    assert macro_f1_interval(confusion) == pytest.approx(
        np.percentile(scores, [2.5, 97.5]), abs=0.03
    )


def test_no_macro_f1_interval_where_resampling_cannot_show_one():
    assert macro_f1_interval([[5, 0], [0, 5]]) is None
    assert macro_f1_interval([[0, 5], [5, 0]]) is None


def test_macro_f1_interval_narrows_with_more_texts():
    few, many = (macro_f1_interval([[4 * n, n], [n, 4 * n]]) for n in (2, 200))
    assert few[0] < many[0] < 0.8 < many[1] < few[1]
