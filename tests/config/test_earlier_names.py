import pytest

from easymft.config.earlier_names import REMOVED, RENAMED, REPLACED, with_present_names
from easymft.config.loading import config_from_dict
from easymft.errors import InputError


def nested(key, value):
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


@pytest.mark.parametrize("key", RENAMED)
def test_an_earlier_name_is_answered_with_the_present_one(key):
    with pytest.raises(InputError, match=f"now called `{RENAMED[key]}`") as caught:
        config_from_dict({"name": "a", **nested(key, 1)})
    assert caught.value.field == key


@pytest.mark.parametrize("key", REPLACED)
def test_a_setting_in_whose_place_others_are_names_these(key):
    with pytest.raises(InputError, match=r"take `fine_tune.parts` \"lora\"") as caught:
        config_from_dict({"name": "a", **nested(key, 8)})
    assert caught.value.field == key


def test_a_setting_that_is_gone_says_why():
    with pytest.raises(InputError, match=r"is gone: .*cost accuracy"):
        config_from_dict({"name": "a", "mft": {"head_speed": 100}})


def test_a_saved_recipe_is_read_under_the_present_names():
    saved = {
        "adversary_strength": 0.5,
        "mft": {"alpha": 0.25, "embedding": "pooler", "head_target": "corrupted"},
        "backbone": {"max_length": 64},
        "optimizer": {"warmup": 0.2},
        "fine_tune": {"dev_every": 0, "epochs": 2, "lora_rank": 8},
    }
    before = {
        key: part if key == "adversary_strength" else dict(part) for key, part in saved.items()
    }
    assert with_present_names(saved) == {
        "adversary": {"strength": 0.5},
        "mft": {"alpha": 0.25},
        "backbone": {"max_length": 64, "pooling": "pooler"},
        "optimizer": {"warmup_ratio": 0.2},
        "fine_tune": {"validation_freq": 0, "epochs": 2},
    }
    assert saved == before


def test_a_saved_extension_that_is_gone_stays_for_the_reader_to_refuse():
    kept = with_present_names({"mft": {"head_target": "domain", "head_speed": 100}})
    assert kept == {"mft": {"head_target": "domain", "head_speed": 100}}
    assert set(REMOVED) == {"mft.head_target", "mft.head_speed"}
