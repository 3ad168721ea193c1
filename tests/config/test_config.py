import functools
import json
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from easymft import config as config_module
from easymft.config import (
    METHODS,
    MFT,
    VARIANTS,
    Adapters,
    Backbone,
    Config,
    FewShot,
    FineTune,
    Phase,
    Split,
)
from easymft.config.loading import config_from_dict
from easymft.config.method import SUPERVISED
from easymft.errors import InputError

ROOT = Path(config_module.__file__).parents[2]
SWITCHES = sorted(VARIANTS["paper"])


def sections(section=Config):
    """Every section class of a recipe."""
    found = [section]
    for field in section.model_fields.values():
        for kind in typing.get_args(field.annotation) or (field.annotation,):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found += sections(kind)
    return found


def test_sections_are_all_found():
    assert {section.__name__ for section in sections()} == {
        *("Config", "DataConfig", "Columns", "Split", "FewShot", "Backbone", "MFT", "Phase"),
        *(
            "Adapt",
            "Adapters",
            "Adversary",
            "Answers",
            "Audit",
            "FineTune",
            "Optimizer",
            "Distribution",
            "Export",
            "SelfTraining",
            "Sweep",
            "Search",
        ),
    }


def test_needs_no_tensorflow_or_keras():
    heavy = {"tensorflow", "keras", "keras_hub"}
    code = f"import sys, easymft.config.loading; print(*({heavy} & {{*sys.modules}}))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert loaded.stdout.strip() == ""


def test_paper_is_the_default():
    # The paper's training settings, and the eight rows of its table.
    config = config_from_dict({"name": "a"})
    assert config.method == "mft"
    assert config.mft.variant == "paper"
    assert (config.mft.alpha, config.mft.corruption_weight, config.dropout) == (0.5, 0.1, 0.1)
    assert (config.meta_fine_tune.epochs, config.fine_tune.epochs) == (2, 6)
    for phase in (config.meta_fine_tune, config.fine_tune):
        assert (phase.learning_rate, phase.batch_size) == (1e-5, 32)
    optimizer = config.optimizer
    assert (optimizer.weight_decay, optimizer.warmup_ratio, optimizer.clip_norm) == (0.01, 0.1, 1.0)
    assert len(SUPERVISED) == 10


# Variants


def test_both_variants_set_the_same_switches_and_differ_in_each():
    assert set(VARIANTS) == set(typing.get_args(MFT.model_fields["variant"].annotation))
    paper, easytransfer = VARIANTS["paper"], VARIANTS["easytransfer"]
    assert list(paper) == list(easytransfer)
    assert [switch for switch in SWITCHES if paper[switch] == easytransfer[switch]] == []


def test_switches_are_the_fields_without_a_default():
    required = {name for name, field in MFT.model_fields.items() if field.is_required()}
    assert required == set(SWITCHES)


@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_sets_every_switch(variant):
    mft = MFT(variant=variant)
    assert {switch: getattr(mft, switch) for switch in SWITCHES} == VARIANTS[variant]


def test_unsaid_variant_is_the_paper():
    assert MFT() == MFT(variant="paper")


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize(
    ("variant", "other"), [("paper", "easytransfer"), ("easytransfer", "paper")]
)
def test_each_switch_overrides_alone(variant, other, switch):
    mft = MFT.model_validate({"variant": variant, switch: VARIANTS[other][switch]})
    assert getattr(mft, switch) == VARIANTS[other][switch]
    assert {name for name in SWITCHES if getattr(mft, name) != VARIANTS[variant][name]} == {switch}
    assert mft.variant == variant


@pytest.mark.parametrize("switch", SWITCHES)
def test_null_is_no_switch(switch):
    with pytest.raises(InputError) as caught:
        config_from_dict({"name": "a", "mft": {switch: None}})
    assert caught.value.field == f"mft.{switch}"


@pytest.mark.parametrize("variant", ["Paper", "", None, 1, True, ["paper"], {"paper": 1}])
def test_wrong_variant(variant):
    with pytest.raises(InputError, match="'paper' or 'easytransfer'") as caught:
        config_from_dict({"name": "a", "mft": {"variant": variant}})
    assert caught.value.field == "mft.variant"


# Rules of single fields


def put(field, value):
    """A recipe with one dotted field set."""
    for part in reversed(field.split(".")):
        value = {part: value}
    return {"name": "a", **value}


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (
            "name",
            ["a", "A-1_b.c", "0", "x" * 64],
            ["", "x" * 65, ".a", "-a", "a/b", "..", "a\n", 1],
        ),
        ("description", [""], [None, 1, ["a"]]),
        ("method", list(METHODS), ["MFT", "", None]),
        ("seed", [0, 2**31 - 1], [-1, 2**31, 1.0, 1.5, "1", True, None, float("nan")]),
        ("precision", ["auto", "float32"], ["float64", None]),
        ("dropout", [0, 0.0, 0.99], [1, -0.1, "0.1", True, None, float("nan")]),
        ("case_study", [0, 50], [-1, 51, 0.5]),
        ("data.source", ["tfds:ag_news_subset"], [None, 1]),
        ("data.fallback", ["sample", "none"], ["other", None]),
        (
            "data.files",
            [None, {"train": "a"}, {"all": "*.csv"}],
            [{"trian": "a"}, {"train": 1}, "a"],
        ),
        ("data.format", ["auto", "easytransfer"], ["xls"]),
        ("data.columns.text", ["body"], [None, 0]),
        ("data.columns.text_pair", [None, "b"], [1]),
        ("data.on_bad_row", ["error", "skip"], ["ignore", False]),
        ("data.limit_per_domain", [None, 1], [0, -1, 1.0]),
        ("data.split.kind", ["auto", "paper", "seeded", "given"], ["saved", "random"]),
        ("data.split.dev", [0.01, 0.99, 1, 500], [0, 0.0, 1.0, 1.5, -1, "0.1", True, None]),
        ("data.split.ids", [None], ["splits.json"]),
        ("data.split.few_shot", [None, {"fraction": 1}, {"per_class": 1}], [{}, [], True]),
        ("data.split.few_shot.fraction", [0.01, 1.0], [0, 1.01, -1]),
        ("data.split.few_shot.per_class", [1], [0, 0.5]),
        ("backbone.max_length", [4, 4096], [3, 4097, 128.0]),
        ("backbone.dropout", [None, 0], [1]),
        ("mft.alpha", [0, 0.5, 1], [-0.01, 1.01, "0.5", None, float("inf")]),
        ("mft.clip", [None, -1, 0], ["none", float("nan")]),
        ("mft.class_weights", [None, [1, 0.5]], [[0], [-1.0], ["1"], 1, {"a": 1}]),
        ("mft.corruption_weight", [0, 10], [-0.1, None]),
        ("mft.corruption_layers", [None, [], [0, 2, 5]], [[-1], [0.5], 3, "2"]),
        ("mft.normalize", [True, False], [0, 1, "true", None]),
        ("meta_fine_tune.epochs", [0, 1], [-1, 1.5]),
        ("meta_fine_tune.learning_rate", [1e-9, 1], [0, -1e-5, "1e-5", float("nan")]),
        ("fine_tune.batch_size", [1], [0, 16.0]),
        ("optimizer.weight_decay", [0], [-0.1]),
        ("optimizer.warmup_ratio", [0, 0.9], [1, -0.1]),
        ("optimizer.clip_norm", [None, 0.1], [0, -1]),
    ],
)
def test_field_takes_and_refuses(field, good, bad):
    for value in good:
        config = config_from_dict(put(field, value))
        for part in field.split("."):
            config = getattr(config, part)
        assert config == (FewShot(**value) if field.endswith("few_shot") and value else value)
    for value in bad:
        with pytest.raises(InputError) as caught:
            config_from_dict(put(field, value))
        # Rules over two fields are reported at their section.
        named = caught.value.field.partition("[")[0]
        assert field.startswith(named) or named.startswith(field), value


def test_few_shot_takes_one_of_two():
    with pytest.raises(InputError, match="either `fraction` or `per_class`"):
        config_from_dict(put("data.split.few_shot", {"fraction": 0.1, "per_class": 5}))


@pytest.mark.parametrize("split", [{"kind": "saved"}, {"kind": "auto", "ids": "a.json"}])
def test_saved_split_and_its_file_belong_together(split):
    with pytest.raises(InputError, match="`ids` names the file") as caught:
        config_from_dict(put("data.split", split))
    assert caught.value.field == "data.split"
    assert Split(kind="saved", ids="a.json").ids == "a.json"


def test_left_out_texts_are_those_of_a_domain():
    with pytest.raises(InputError, match="about the domain that `leave_out` names"):
        config_from_dict({"name": "a", "data": {"split": {"left_out": "unlabeled"}}})


@pytest.mark.parametrize("character", ["\0", "\ud800"])
@pytest.mark.parametrize("field", ["description", "output_dir", "data.dir", "data.files.train"])
def test_no_text_that_cannot_be_written(field, character):
    with pytest.raises(InputError, match="NUL") as caught:
        config_from_dict(put(field, f"a{character}b"))
    assert field.startswith(caught.value.field)


def test_emoji_is_text():
    assert config_from_dict(put("description", "\U0001f600")).description == "\U0001f600"


def test_sections_cannot_be_changed():
    with pytest.raises(ValidationError):
        config_from_dict({"name": "a"}).mft.alpha = 1.0


def test_given_dict_is_left_alone():
    values = {"name": "a", "mft": {"alpha": 0.1}}
    config_from_dict(values)
    assert values == {"name": "a", "mft": {"alpha": 0.1}}


# Round trip

shares = st.floats(0.001, 0.999) | st.integers(1, 10**6)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
few_shots = st.builds(FewShot, fraction=st.floats(0.001, 1.0)) | st.builds(
    FewShot, per_class=st.integers(1, 100)
)
splits = (
    st.builds(
        Split,
        kind=st.sampled_from(["auto", "paper", "seeded", "given"]),
        dev=shares,
        test=shares,
        seed=st.none() | st.integers(),
        few_shot=st.none() | few_shots,
        leave_out=st.none() | texts,
    )
    | st.builds(Split, leave_out=texts, left_out=st.just("unlabeled"))
    | st.builds(Split, kind=st.just("saved"), ids=texts)
)
phases = {
    "epochs": st.integers(0, 50),
    "learning_rate": st.floats(0, 1e3, exclude_min=True),
    "batch_size": st.integers(1, 4096),
    "gradient_accumulation_steps": st.integers(1, 64),
    "select_best_on_dev": st.booleans(),
    "class_balance": st.sampled_from(["none", "loss", "batch"]),
}
mfts = st.fixed_dictionaries(
    {
        "variant": st.sampled_from(sorted(VARIANTS)),
        "alpha": st.floats(0, 1) | st.sampled_from([0, 1]),
    },
    optional={
        "clip": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "class_weights": st.none() | st.lists(st.floats(0.1, 10)),
        "corruption_layers": st.none() | st.lists(st.integers(0, 30)),
        **{
            name: st.sampled_from([VARIANTS["paper"][name], VARIANTS["easytransfer"][name]])
            for name in SWITCHES
        },
    },
).map(MFT.model_validate)
configs = st.builds(
    Config,
    name=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"),
    description=texts,
    method=st.sampled_from(list(METHODS)),
    seed=st.integers(0, 2**31 - 1),
    data=st.builds(
        config_module.DataConfig,
        source=texts,
        files=st.none() | st.dictionaries(st.sampled_from(["train", "dev", "test", "all"]), texts),
        split=splits,
    ),
    backbone=st.builds(Backbone, dropout=st.none() | st.floats(0, 0.999)),
    mft=mfts,
    meta_fine_tune=st.builds(Phase, **phases),
    fine_tune=st.builds(
        FineTune,
        **phases,
        parts=st.sampled_from(["all", "lora", "bias", "head"]),
        adapters=st.builds(
            Adapters,
            epochs=st.none() | st.integers(0, 9),
            rank=st.integers(1, 64),
            kernels=st.sampled_from([["query"], ["value", "feed_forward"]]),
        ),
    ),
)


@settings(deadline=None, max_examples=30)
@given(configs)
def test_round_trip(config):
    complete = config.to_dict()
    assert config_from_dict(complete) == config
    assert config_from_dict(json.loads(json.dumps(complete, allow_nan=False))) == config


@settings(deadline=None, max_examples=30)
@given(configs)
def test_complete_recipe_satisfies_the_schema(config):
    schema().validate(config.to_dict())


def test_complete_recipe_names_every_field():
    def complete(values, section):
        assert set(values) == set(section.model_fields)
        for name, value in values.items():
            kind = section.model_fields[name].annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                complete(value, kind)

    complete(config_from_dict({"name": "a"}).to_dict(), Config)


# JSON schema


@functools.cache
def schema():
    jsonschema = pytest.importorskip("jsonschema")
    return jsonschema.Draft202012Validator(Config.model_json_schema())


def test_schema_is_a_schema():
    validator = schema()
    validator.check_schema(validator.schema)
    assert validator.schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    json.dumps(validator.schema, allow_nan=False)


def test_every_section_and_field_is_described():
    complete = Config.model_json_schema()
    objects = {"Config": complete, **complete["$defs"]}
    assert len(objects) == len(set(sections()))
    for name, section in objects.items():
        assert section["description"].strip(), name
        assert section["additionalProperties"] is False, name
        # A recipe may leave everything unsaid; who wants a search must say over what.
        assert name == "Search" or "required" not in section, name
        for field, properties in section["properties"].items():
            assert properties.get("description", "").strip(), f"{name}.{field}"


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"$schema": "../recipe.schema.json", "include": "base.json"},
        {"include": ["a.json", "b.json"]},
        {"mft": {}, "data": {"split": {}}},
        {"mft": {"variant": "easytransfer", "corruption": "other"}},
        {"data": {"split": {"few_shot": {"per_class": 8}, "dev": 100}}},
    ],
)
def test_schema_accepts_what_a_recipe_file_may_leave_out_or_add(recipe):
    assert schema().is_valid(recipe)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("mehtod", "method"),
        ("data.sorce", "source"),
        ("data.columns.txet", "text"),
        ("data.split.knd", "kind"),
        ("data.split.few_shot.fractoin", "fraction"),
        ("backbone.presett", "preset"),
        ("mft.alpah", "alpha"),
        ("meta_fine_tune.epoch", "epochs"),
        ("fine_tune.learning-rate", "learning_rate"),
        ("optimizer.weight_decoy", "weight_decay"),
    ],
)
def test_misspelt_key_is_flagged_by_schema_and_program(misspelt, meant):
    recipe = put(misspelt, 1)
    with pytest.raises(InputError, match=f"unknown key; did you mean `{meant}`") as caught:
        config_from_dict(recipe)
    assert caught.value.field == misspelt
    assert not schema().is_valid(recipe)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("seed", "1"),
        ("method", "MFT"),
        ("name", "../a"),
        ("mft.alpha", 1.5),
        ("backbone.pooling", None),
        ("data.split.dev", 0),
        ("data.files", {"trian": "a"}),
        ("mft", []),
    ],
)
def test_wrong_value_is_flagged_by_schema_and_program(field, value):
    with pytest.raises(InputError):
        config_from_dict(put(field, value))
    assert not schema().is_valid(put(field, value))
