import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from easymft.config import MFT, VARIANTS, Config, DataConfig, Phase
from easymft.config.loading import (
    MAX_INCLUDE_DEPTH,
    MAX_RECIPE_BYTES,
    config_from_dict,
    load_config,
)
from easymft.errors import InputError


@pytest.fixture
def recipe(tmp_path):
    """A function that writes a recipe (text, bytes or values) and gives its path."""

    def write(content, name="recipe.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def fault(path, *overrides, match=None):
    """The error of a recipe, which is one line whatever was wrong."""
    with pytest.raises(InputError, match=match) as caught:
        load_config(path, overrides)
    assert "\n" not in str(caught.value)
    return caught.value


# Reading


def test_empty_object_is_the_default_recipe_named_after_its_file(recipe):
    config = load_config(recipe("{}", "amazon.json"))
    assert config == config_from_dict({"name": "amazon"})
    assert load_config(str(recipe("{}", "amazon.json"))) == config


def test_name_in_the_recipe_wins_over_the_file(recipe):
    assert load_config(recipe({"name": "other"}, "amazon.json")).name == "other"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("my recipe.json", "my-recipe"),
        ("reviews (1).json", "reviews-1-"),
        ("_draft.json", "draft"),
        ("\u043e\u0442\u0437\u044b\u0432\u044b.json", "recipe"),
        ("x" * 90 + ".json", "x" * 64),
        ("as_it-is.v1.json", "as_it-is.v1"),
    ],
)
def test_a_recipe_is_called_as_its_file_in_letters_that_a_name_may_have(recipe, file, name):
    assert load_config(recipe("{}", file)).name == name


def test_a_name_that_is_none(recipe):
    error = fault(recipe({"name": "my recipe"}), match="the file's name when left out")
    assert error.field == "name"


def test_byte_order_mark_is_no_part_of_the_text(recipe):
    assert load_config(recipe(b'\xef\xbb\xbf{"seed": 7}')).seed == 7


def test_schema_key_is_for_editors(recipe):
    config = load_config(recipe({"$schema": "../schema.json", "name": "a"}))
    assert config == config_from_dict({"name": "a"})


@pytest.mark.parametrize("content", [b"", b"\n \t\n", b"\xef\xbb\xbf"])
def test_empty_file(recipe, content):
    fault(recipe(content), match="empty; the smallest recipe is {}")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("{", 1),
        ('{"seed": 1,\n}', 2),
        ('{"seed": 1\n"name": "a"}', 2),
        ("{\n// seed\n}", 2),
        ("seed: 1", 1),
    ],
)
def test_not_json(recipe, content, line):
    path = recipe(content)
    error = fault(path, match="not valid JSON")
    assert (error.file, error.line) == (path, line)
    assert str(error).startswith(f"{path}:{line}: ")


@pytest.mark.parametrize("content", ["[]", "1", '"a"', "null", "true"])
def test_not_an_object(recipe, content):
    assert fault(recipe(content), match="a recipe is a JSON object").line == 1


@pytest.mark.parametrize(
    ("content", "line"),
    [(b'{\n\n"description": "\xe4"}', 3), ('{"seed": 1}'.encode("utf-16"), 1), (b"\x80", 1)],
)
def test_not_utf8(recipe, content, line):
    assert fault(recipe(content), match="not UTF-8").line == line


def test_key_twice(recipe):
    error = fault(recipe('{"seed": 1,\n"mft": {"alpha": 0.1,\n"alpha": 0.2}}'), match="twice")
    assert (error.line, error.field) == (3, "mft.alpha")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_not_a_number(recipe, number):
    error = fault(recipe(f'{{"seed": 1,\n"mft": {{"clip":\n{number}}}}}'), match="not a number")
    assert error.line == 3


def test_number_too_large_for_a_float(recipe):
    error = fault(recipe('{\n"mft": {\n"clip": 1e999}}'), match="finite")
    assert (error.line, error.field) == (3, "mft.clip")


def test_integer_of_5000_digits(recipe):
    assert fault(recipe('{\n"seed": ' + "9" * 5000 + "}"), match="5,000 digits").line == 2


@pytest.mark.parametrize("depth", [100, 900, 100_000])
def test_nested_too_deeply(recipe, depth):
    fault(recipe('{"data":' * depth + "{}" + "}" * depth), match="nested more than 32 deep")


def test_largest_recipe_and_one_byte_more(recipe):
    content = '{"seed": 7}' + " " * (MAX_RECIPE_BYTES - 11)
    assert load_config(recipe(content)).seed == 7
    fault(recipe(content + " "), match="larger than 1,000,000 bytes")


def test_recipe_of_50_mb_is_not_read(recipe):
    path = recipe("{")
    os.truncate(path, 50_000_000)
    fault(path, match="larger than 1,000,000 bytes")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_endless_recipe():
    fault("/dev/zero", match="larger than 1,000,000 bytes")


def test_directory(tmp_path):
    assert fault(tmp_path, match="cannot be read").file == tmp_path


def test_missing_file(tmp_path):
    assert fault(tmp_path / "a.json", match="No such file").file == tmp_path / "a.json"


def test_link_to_itself(tmp_path):
    (tmp_path / "a.json").symlink_to("a.json")
    fault(tmp_path / "a.json", match="cannot be read")


# Values, and where an error says they stand


@pytest.mark.parametrize(
    ("content", "line", "field"),
    [
        ('{\n"seed": -1}', 2, "seed"),
        ('{"mft": {},\n"data":\n{"split":\n{"dev": "a"}}}', 4, "data.split.dev"),
        # The same key elsewhere, before the one at fault.
        ('{"data": {"split": {"seed": 1}},\n"seed": "a"}', 2, "seed"),
        ('{"description": "\\"seed\\": 1",\n"seed": "a"}', 2, "seed"),
        ('{"mft": {"class_weights": [1,\n2,\n-3]}}', 3, "mft.class_weights[2]"),
        ('{"data":\n{"files": {\n"trian": "a"}}}', 3, "data.files.trian"),
        ('{"seed": 1,\n"data": {"split":\n{"kind": "saved"}}}', 2, "data.split"),
        ('{"s\\u0065ed":\n"a"}', 1, "seed"),
        ('{"mft":\nnull}', 1, "mft"),
    ],
)
def test_wrong_value_is_found(recipe, content, line, field):
    path = recipe(content)
    error = fault(path)
    assert (error.file, error.line, error.field) == (str(path), line, field)


def test_message_holds_rule_value_and_meaning(recipe):
    path = recipe({"mft": {"alpha": 3}})
    assert str(fault(path)) == (
        f"{path}:1: `mft.alpha`: input should be less than or equal to 1. Received: 3. "
        "This is: Share of the own domain's centroid in the typicality."
    )


def test_other_faults_are_counted_once_each(recipe):
    # `dev` may be of two types, each of which finds its own fault with 0.
    assert "more after" not in str(fault(recipe({"data": {"split": {"dev": 0}}})))
    error = fault(recipe({"data": {"split": {"dev": 0, "test": 0}}, "seed": "a"}))
    assert str(error).endswith("(2 more after this one)")


def test_long_value_is_cut(recipe):
    assert len(str(fault(recipe({"seed": "x" * 100_000})))) < 400


@pytest.mark.parametrize(
    ("content", "line", "field", "meant"),
    [
        ('{\n"sed": 1}', 2, "sed", "seed"),
        ('{\n"includes": "a.json"}', 2, "includes", "include"),
        ('{"mft":\n{"alpah": 1}}', 2, "mft.alpah", "alpha"),
        ('{"data": {"columns":\n{"txet": "a"}}}', 2, "data.columns.txet", "text"),
        (
            '{"data": {"split":\n{"few_shot":\n{"fractoin": 1}}}}',
            3,
            "data.split.few_shot.fractoin",
            "fraction",
        ),
        # In the wrong place rather than misspelt.
        ('{"seed": 1,\n"alpha": 1}', 2, "alpha", "mft.alpha"),
        (
            '{"meta_fine_tune":\n{"clip_norm": 1}}',
            2,
            "meta_fine_tune.clip_norm",
            "optimizer.clip_norm",
        ),
    ],
)
def test_unknown_key_names_the_nearest(recipe, content, line, field, meant):
    error = fault(recipe(content), match=f"unknown key; did you mean `{meant}`")
    assert (error.line, error.field) == (line, field)


def test_unknown_key_like_none_lists_those_there(recipe):
    error = fault(recipe({"meta_fine_tune": {"zzz": 1}}))
    assert str(error).endswith(
        "known here: epochs, learning_rate, batch_size, gradient_accumulation_steps, "
        "validation_freq, select_best_on_dev, class_balance, domain_balance"
    )


@pytest.mark.parametrize("key", ["str", "int", "float", "list[int]", "a(b)", "[key]", "", " ", "0"])
def test_unknown_key_of_any_look(recipe, key):
    error = fault(recipe({key: 1}), match="unknown key")
    assert error.field == (key or None)
    assert error.line == 1


# Includes


def test_later_layers_win(recipe):
    recipe({"seed": 1, "mft": {"alpha": 0.1, "clip": None}, "fine_tune": {"epochs": 1}}, "a.json")
    recipe({"seed": 2, "mft": {"alpha": 0.2, "normalize": True}}, "b.json")
    path = recipe({"include": ["a.json", "b.json"], "mft": {"alpha": 0.3}})
    config = load_config(path, ["mft.alpha=0.4", "mft.alpha=0.5"])
    assert config.seed == 2
    assert (config.mft.alpha, config.mft.clip, config.mft.normalize) == (0.5, None, True)
    assert config.fine_tune.epochs == 1
    assert load_config(path).mft.alpha == 0.3


def test_included_name_is_a_name(recipe):
    recipe({"name": "base"}, "a.json")
    assert load_config(recipe({"include": "a.json"})).name == "base"


def test_lists_are_replaced_not_joined(recipe):
    recipe({"mft": {"corruption_layers": [1, 2, 3]}}, "a.json")
    config = load_config(recipe({"include": "a.json", "mft": {"corruption_layers": [5]}}))
    assert config.mft.corruption_layers == [5]


def test_paths_start_at_the_including_file(recipe, tmp_path, monkeypatch):
    recipe({"seed": 7}, "configs/deep/c.json")
    recipe({"include": "deep/c.json"}, "configs/b.json")
    path = recipe({"include": "../configs/b.json"}, "app_zoo/a.json")
    monkeypatch.chdir("/")
    assert load_config(path).seed == 7


def test_fragment_may_stand_anywhere(recipe, tmp_path):
    outside = recipe({"seed": 7}, "outside/c.json")
    assert load_config(recipe({"include": str(outside)}, "inside/a.json")).seed == 7


def test_fragment_included_twice_is_no_loop(recipe):
    recipe({"seed": 7}, "c.json")
    recipe({"include": "c.json"}, "a.json")
    recipe({"include": "c.json"}, "b.json")
    assert load_config(recipe({"include": ["a.json", "b.json"]})).seed == 7


@pytest.mark.parametrize("names", [["r0"], ["r0", "r1"], ["r0", "r1", "r2"]])
def test_loop(recipe, names):
    for name, following in zip(names, [*names[1:], names[0]], strict=True):
        recipe(f'{{"seed": 1,\n"include": "{following}.json"}}', f"{name}.json")
    path = recipe({"include": "r0.json"})
    loop = " -> ".join(f"{name}.json" for name in [*names, names[0]])
    error = fault(path, match=f"loop: {loop}")
    assert error.file == path.with_name(f"{names[-1]}.json")
    assert (error.line, error.field) == (2, "include")


def test_loop_through_a_link(recipe, tmp_path):
    path = recipe({"include": "link.json"})
    (tmp_path / "link.json").symlink_to(path)
    fault(path, match="loop")


def test_deepest_chain_of_includes(recipe):
    for depth in range(MAX_INCLUDE_DEPTH + 1):
        recipe({"include": f"r{depth + 1}.json"}, f"r{depth}.json")
    recipe({"seed": 7}, f"r{MAX_INCLUDE_DEPTH + 1}.json")
    assert load_config(recipe({"include": "r2.json"})).seed == 7
    assert load_config(recipe({"include": "r2.json"}, "r1.json")).seed == 7
    fault(recipe({"include": "r1.json"}, "r0.json"), match="more than 8 deep")


@pytest.mark.parametrize("name", ["missing.json", "", ".", "..", "a\0b", "recipe.json/a", "\ud800"])
def test_missing_fragment(recipe, name):
    recipe({}, "here.json")
    path = recipe(f'{{"include": ["here.json",\n{json.dumps(name)}]}}')
    error = fault(path, match="no such file")
    assert (error.file, error.line, error.field) == (path, 2, "include")
    assert repr(name) in str(error)


@pytest.mark.parametrize("value", [5, None, {"a": 1}, ["a.json", 1], [["a.json"]], True])
def test_include_of_wrong_type(recipe, value):
    error = fault(recipe({"include": value}), match="a path or a list of paths")
    assert (error.line, error.field) == (1, "include")


def test_includes_that_multiply(recipe):
    recipe({}, "r2.json")
    recipe({"include": ["r2.json"] * 10}, "r1.json")
    # Nine times one and ten, and one more.
    assert load_config(recipe({"include": ["r1.json"] * 9 + ["r2.json"]})).seed == 1
    error = fault(recipe({"include": ["r1.json"] * 10}), match="more than 100 files are included")
    assert error.field == "include"


def test_include_of_a_long_name(recipe):
    error = fault(recipe({"include": "a" * 5000}), match="no such file")
    assert len(str(error)) < 400


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.json")
    fault(tmp_path / "a.json", match="is a pipe, which may never end")


# Names of settings, so that what is drawn often gets past the first check.
keys = st.text(max_size=3) | st.sampled_from(
    [*Config.model_fields, *DataConfig.model_fields, *MFT.model_fields, *Phase.model_fields]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=15,
)


@pytest.mark.long
@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(keys, json_values, max_size=5), st.text(max_size=20))
def test_any_recipe_and_override_load_or_are_an_input_error(recipe, values, override):
    path = recipe(values)
    for overrides in ([], [override]):
        try:
            config = load_config(path, overrides)
        except InputError as error:
            assert len(str(error)) < 2_000  # noqa: PT017
        else:
            assert load_config(recipe(config.to_dict(), "complete.json")) == config


def test_include_only_at_the_top(recipe):
    assert fault(recipe({"mft": {"include": "a.json"}}), match="unknown").field == "mft.include"


def test_fault_in_a_fragment_names_the_fragment(recipe):
    fragment = recipe('{"mft": {\n"alpah": 1}}', "a.json")
    error = fault(recipe({"include": "a.json", "mft": {"alpha": 1}}), match="unknown key")
    assert (error.file, error.line) == (str(fragment), 2)


def test_broken_fragment_names_the_fragment(recipe):
    fragment = recipe("{\n", "a.json")
    error = fault(recipe({"include": "a.json"}), match="not valid JSON")
    assert (error.file, error.line) == (fragment, 2)


# Overrides


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("seed=7", "seed", 7),
        (" seed = 7 ", "seed", 7),
        ("name=other", "name", "other"),
        ('name="5"', "name", "5"),
        ("description=a=b", "description", "a=b"),
        ("description=", "description", ""),
        ("description=[", "description", "["),
        ("description=" + "[" * 100_000, "description", "[" * 100_000),
        ("description=NaN", "description", "NaN"),
        ("mft.alpha=0.25", "mft.alpha", 0.25),
        ("mft.clip=null", "mft.clip", None),
        ("mft.normalize=true", "mft.normalize", True),
        ("mft.corruption_layers=[0, 1]", "mft.corruption_layers", [0, 1]),
        ("data.files.train=a b.csv", "data.files", {"train": "a b.csv"}),
        ("data.split.few_shot.per_class=5", "data.split.few_shot.per_class", 5),
        ('fine_tune={"epochs": 3}', "fine_tune.epochs", 3),
        ("backbone.preset=bert_base_en_uncased", "backbone.preset", "bert_base_en_uncased"),
    ],
)
def test_override(recipe, override, field, value):
    config = load_config(recipe({"seed": 1, "mft": {"alpha": 0.1, "clip": 0.5}}), [override])
    for part in field.split("."):
        config = getattr(config, part)
    assert config == value


def test_object_is_merged_not_replaced(recipe):
    config = load_config(recipe({"mft": {"alpha": 0.1}}), ['mft={"clip": null}'])
    assert (config.mft.alpha, config.mft.clip) == (0.1, None)


@pytest.mark.parametrize(
    "text",
    ["seed", "", "=", "=3", " =3", "a..b=1", ".seed=1", "mft.=1", ".=1", "a." * 5000 + "b=1"],
)
def test_override_of_wrong_form(recipe, text):
    error = fault(recipe("{}"), text, match="must look like `section.key=value`")
    assert error.field == "--set"
    assert len(str(error)) < 200


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ("seed=", "seed"),
        ("seed=one", "seed"),
        ("seed=NaN", "seed"),
        ("seed=" + "9" * 5000, "seed"),
        ("seed.x=1", "seed"),
        ("seed.x.y=1", "seed"),
        ("mft=3", "mft"),
        ("mft.alpha=.5", "mft.alpha"),
        ("mft.alpha=Infinity", "mft.alpha"),
        ("mft.corruption_layers=0,1", "mft.corruption_layers"),
        ("mft.corruption_layers.0=1", "mft.corruption_layers"),
        ('data={"dir": "a", "dir": "b"}', "data"),
        ("include=a.json", "include"),
        ("$schema=a.json", "$schema"),
        ("output_dir=a\udcff", "output_dir"),
    ],
)
def test_override_at_fault(recipe, override, field):
    error = fault(recipe('{"seed": 1,\n"mft": {"alpha": 0.1}}'), override)
    assert (error.file, error.line, error.field) == ("--set", None, field)


def test_unknown_key_of_an_override_names_the_nearest(recipe):
    error = fault(recipe("{}"), "mft.alpah=1", match="did you mean `alpha`")
    assert (error.file, error.field) == ("--set", "mft.alpah")


def test_fault_of_the_file_is_not_blamed_on_an_override(recipe):
    path = recipe({"mft": {"alpha": 3}})
    error = fault(path, "mft.clip=0", "seed=2")
    assert (error.file, error.line) == (str(path), 1)


def test_override_mends_the_file(recipe):
    assert load_config(recipe({"seed": -1}), ["seed=1"]).seed == 1


def test_variant_of_an_override_sets_what_the_file_leaves_unsaid(recipe):
    path = recipe({"mft": {"corruption_pools_padding": False}})
    mft = load_config(path, ["mft.variant=easytransfer"]).mft
    assert mft.corruption_pools_padding is False
    assert mft.corruption == VARIANTS["easytransfer"]["corruption"] == "shuffle"


@pytest.mark.parametrize(
    ("values", "pooling"),
    [
        ({}, "mean"),
        ({"mft": {"variant": "paper"}}, "mean"),
        ({"mft": {"variant": "easytransfer"}}, "pooler"),
        ({"mft": {"variant": "easytransfer"}, "backbone": {"max_length": 8}}, "pooler"),
        ({"mft": {"variant": "easytransfer"}, "backbone": {"pooling": "mean"}}, "mean"),
    ],
)
def test_the_variant_pools_as_its_code_does_unless_the_recipe_says_how(recipe, values, pooling):
    assert load_config(recipe(values)).backbone.pooling == pooling


# A dict instead of a file


@pytest.mark.parametrize("values", [{"name": "a", "seed": {1}}, {"name": "a", "mft": object()}])
def test_values_json_does_not_know(values):
    with pytest.raises(InputError) as caught:
        config_from_dict(values)
    assert caught.value.file is None
    assert caught.value.field in values


def test_dict_needs_a_name():
    with pytest.raises(InputError, match="required") as caught:
        config_from_dict({})
    assert caught.value.field == "name"
    assert "more after" not in str(caught.value)


def test_dict_cannot_include():
    with pytest.raises(InputError, match="only a recipe file may include") as caught:
        config_from_dict({"name": "a", "include": "a.json"})
    assert caught.value.field == "include"
