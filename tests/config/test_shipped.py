"""Recipes that come along are found by their names from any folder."""

import json

import pytest

from easymft.config import loading
from easymft.config.loading import list_recipes, load_config
from easymft.config.shipped import shipped_folder
from easymft.errors import InputError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder that knows nothing of easymft's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))
    return path


def test_a_bare_name_is_the_recipe_of_that_name():
    config = load_config("amazon", ["seed=5"])
    assert config == load_config(shipped_folder("app_zoo") / "amazon.json", ["seed=5"])
    assert (config.name, config.data.source, config.seed) == ("amazon", "amazon_reviews", 5)


def test_a_file_of_that_name_comes_first_and_a_folder_does_not(elsewhere):
    (elsewhere / "amazon").mkdir()
    assert load_config("amazon").data.source == "amazon_reviews"
    (elsewhere / "amazon").rmdir()
    write(elsewhere / "amazon", {"seed": 8})
    assert load_config("amazon").seed == 8


def test_an_include_may_be_a_bare_name(elsewhere):
    recipe = write(elsewhere / "mine/own.json", {"include": ["amazon", "mirrored"]})
    config = load_config(recipe)
    assert (config.data.source, config.distribution.strategy) == ("amazon_reviews", "mirrored")
    assert config.backbone.preset.startswith("package:")  # of minilm, which amazon includes


def test_names_of_recipes_and_fragments_are_different():
    names = [p.stem for f in ("app_zoo", "configs") for p in shipped_folder(f).glob("*.json")]
    assert len(names) == len(set(names)) > 10


def test_the_list_gives_the_names_under_which_they_are_found():
    names = [line.split()[0] for line in list_recipes()]
    assert {"amazon", "mnli"} <= set(names)
    assert [load_config(name).name for name in names] == names


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("amason", "amazon"),
        ("AMAZON", "amazon"),
        ("amazon.json", "amazon"),
        ("app_zoo/amazon.json", "amazon"),
        ("deep/recipes/tikcets.json", "deep/recipes/tickets.json"),
        ("deep/recipes/tickets", "deep/recipes/tickets.json"),
    ],
)
def test_a_mistyped_name_is_answered_with_the_nearest(elsewhere, name, meant):
    write(elsewhere / "deep/recipes/tickets.json", {})
    with pytest.raises(InputError, match="cannot be read") as caught:
        load_config(name)
    assert str(caught.value).endswith(f"(No such file or directory); did you mean {meant!r}?")


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + "/y.json", "nothing of the kind", "a\0b"])
def test_a_name_like_nothing_is_only_refused(elsewhere, name):
    for attempt in (
        lambda: load_config(name),
        lambda: load_config(write(elsewhere / "r.json", {"include": name})),
    ):
        with pytest.raises(InputError, match=r"cannot be read|no such file") as caught:
            attempt()
        assert "did you mean" not in str(caught.value)


def test_a_mistyped_include_is_answered_with_a_path_from_there(elsewhere):
    write(elsewhere / "configs/small.json", {})
    recipe = write(elsewhere / "zoo/own.json", {"include": "../configs/smal.json"})
    with pytest.raises(InputError, match=r"did you mean '\.\./configs/small\.json'"):
        load_config(recipe)


def test_an_installed_package_holds_them_inside(elsewhere, monkeypatch):
    package = elsewhere / "site-packages/easymft"
    write(package / "configs/tiny.json", {"seed": 4})
    write(package / "app_zoo/zoo.json", {"include": "../configs/tiny.json"})
    monkeypatch.setattr("easymft.config.shipped.PACKAGE", package)
    assert load_config("zoo").seed == 4
    assert [line.split() for line in loading.list_recipes()] == [["zoo"]]
