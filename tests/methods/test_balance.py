import numpy as np
import pytest

from easymft.config import Phase
from easymft.data.batches.batches import batch_plan
from easymft.methods import balance

LABELS = np.array([0] * 8 + [1] * 2)
DOMAINS = np.array([0, 1] * 5)


def test_weights_of_rare_classes_worked_by_hand():
    weights = balance.class_weights(LABELS)
    # 10 / (2 * 8) and 10 / (2 * 2), whose mean is (8 * 0.625 + 2 * 2.5) / 10 = 1.
    np.testing.assert_allclose(weights, [0.625] * 8 + [2.5] * 2)


def test_groups_are_classes_domains_or_both():
    def same(groups, *keys):
        pairs = set(zip(groups.tolist(), *(key.tolist() for key in keys), strict=True))
        return len(pairs) == len(set(groups.tolist()))

    assert balance.groups(LABELS, DOMAINS, Phase(class_balance="loss")) is None
    assert same(balance.groups(LABELS, DOMAINS, Phase(class_balance="batch")), LABELS)
    assert same(balance.groups(LABELS, DOMAINS, Phase(domain_balance="batch")), DOMAINS)
    both = balance.groups(LABELS, DOMAINS, Phase(class_balance="batch", domain_balance="batch"))
    assert same(both, LABELS, DOMAINS)
    assert len(set(both)) == 4


@pytest.mark.parametrize("seed", [1, 2])
def test_an_epoch_sees_as_many_texts_of_each_group(seed):
    lengths = np.arange(1, 101)
    groups = np.array([7] * 80 + [3] * 15 + [5] * 5)
    seen = np.concatenate(batch_plan(lengths, 8, seed, epoch=0, groups=groups))
    assert len(seen) == 100
    # 100 = 34 + 33 + 33, the first of equal remainders getting the one more.
    assert np.bincount(groups[seen], minlength=8)[[3, 5, 7]].tolist() == [34, 33, 33]
    counts = np.bincount(seen, minlength=100)
    # 33 of 80: none twice. 34 of 15: each twice or three times. 33 of 5: six or seven times.
    assert counts[:80].max() == 1
    assert set(counts[80:95]) == {2, 3}
    assert set(counts[95:]) == {6, 7}
    again = np.concatenate(batch_plan(lengths, 8, seed, epoch=1, groups=groups))
    assert not np.array_equal(seen, again)
