import pytest

import easymft
from easymft.errors import InputError
from tests.models.hugging_face import write_bert


@pytest.mark.long
def test_an_audit_of_lists_is_a_data_frame_in_the_users_own_values(tmp_path, fast):
    texts = [f"the {'good ' * (n % 5)}cafe {'! ' * (n // 5)}goodness" for n in range(20)]
    texts += ["the the good good cafe", "The the good good cafe!"]
    labels, domains = [5, 1] * 11, ["books"] * 11 + ["tools"] * 11
    write_bert(tmp_path / "bert")
    found = easymft.audit(texts, labels, domains, preset=str(tmp_path / "bert"), max_length=12)
    assert sorted(found.index) == list(range(22))
    assert [texts[place] for place in found.index] == found["text"].tolist()
    assert [labels[place] for place in found.index] == found["label"].tolist()
    assert set(found["suggested_label"]) <= {1, 5}
    assert found["score"].is_monotonic_decreasing
    assert "same text as 20, which has label 5" in found["why"][21]
    # Once more: what is imported does not stand in the function's way.
    with pytest.raises(InputError, match=r"`audit.folds`"):
        easymft.audit(texts, labels, domains, preset=str(tmp_path / "bert"), folds=1)
