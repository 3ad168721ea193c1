import numpy as np
import pytest

from easymft.auditing.judgements import Judgements, folds


@pytest.mark.parametrize(("label", "margin"), [(0, 0.1), (1, -0.3), (2, -0.1)])
def test_a_margin_is_the_lead_over_the_best_other_class(label, margin):
    judged = Judgements(np.full((1, 3), 1 / 3), np.array([[0.5, 0.2, 0.4]]))
    assert judged.margins(np.array([label])) == pytest.approx([margin])


def test_folds_hold_each_text_once_and_as_many_of_each_cell():
    cells = np.repeat([0, 1, 2], [10, 20, 5])
    parts = list(folds(cells, np.arange(35), 5, seed=1))
    assert sorted(np.concatenate(parts)) == list(range(35))
    assert [np.bincount(cells[part]).tolist() for part in parts] == [[2, 4, 1]] * 5


def test_texts_that_are_the_same_stand_in_one_fold():
    groups = np.arange(40) // 2
    for part in folds(np.zeros(40, int), groups, 4, seed=1):
        assert len(part) == 10
        assert np.bincount(groups[part], minlength=20).tolist().count(1) == 0


def test_folds_depend_on_the_seed_alone():
    cells, groups = np.arange(30) % 2, np.arange(30)
    one, same, other = (list(folds(cells, groups, 3, seed)) for seed in (1, 1, 2))
    assert all(map(np.array_equal, one, same))
    assert not all(map(np.array_equal, one, other))
