import numpy as np
import pytest

from easymft.auditing.judgements import Judgements


@pytest.mark.parametrize(("label", "margin"), [(0, 0.1), (1, -0.3), (2, -0.1)])
def test_a_margin_is_the_lead_over_the_best_other_class(label, margin):
    judged = Judgements(np.full((1, 3), 1 / 3), np.array([[0.5, 0.2, 0.4]]))
    assert judged.margins(np.array([label])) == pytest.approx([margin])
