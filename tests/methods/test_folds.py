import numpy as np

from easymft.methods.folds import deal


def test_folds_hold_each_text_once_and_as_many_of_each_cell():
    cells = np.repeat([0, 1, 2], [10, 20, 5])
    parts = list(deal(cells, np.arange(35), 5, seed=1))
    assert sorted(np.concatenate(parts)) == list(range(35))
    assert [np.bincount(cells[part]).tolist() for part in parts] == [[2, 4, 1]] * 5


def test_texts_that_are_the_same_stand_in_one_fold():
    groups = np.arange(40) // 2
    for part in deal(np.zeros(40, int), groups, 4, seed=1):
        assert len(part) == 10
        assert np.bincount(groups[part], minlength=20).tolist().count(1) == 0


def test_folds_depend_on_the_seed_alone():
    cells, groups = np.arange(30) % 2, np.arange(30)
    one, same, other = (list(deal(cells, groups, 3, seed)) for seed in (1, 1, 2))
    assert all(map(np.array_equal, one, same))
    assert not all(map(np.array_equal, one, other))
