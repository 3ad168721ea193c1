"""The committed JSON schema: current, found by every recipe, and of one mind with the program."""

import json
from pathlib import Path

import jsonschema
import pytest

from easymft.config import Config
from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.init.recipe import SCHEMA, schema_text

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "app_zoo" / SCHEMA
RECIPES = sorted([*ROOT.glob("app_zoo/*.json"), *ROOT.glob("configs/*.json")])
REGENERATE = f"python -m easymft.run --mode schema > {COMMITTED.relative_to(ROOT)}"


@pytest.fixture(scope="module")
def schema():
    return json.loads(COMMITTED.read_text(encoding="utf-8"))


def test_the_committed_schema_is_that_of_the_configuration(schema):
    message = f"the configuration changed; regenerate its schema: {REGENERATE}"
    assert schema == Config.model_json_schema(), message
    assert COMMITTED.read_text(encoding="utf-8") == schema_text(), message


def test_the_schema_is_one(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$schema"]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_finds_the_schema_and_keeps_to_it(recipe, schema):
    values = json.loads(recipe.read_text(encoding="utf-8"))
    assert next(iter(values)) == "$schema"  # where editors look and people do not trip over it
    assert (recipe.parent / values["$schema"]).resolve() == COMMITTED
    jsonschema.validate(values, schema)


@pytest.mark.parametrize(
    ("place", "misspelt"),
    [
        ([], "metod"),
        (["data"], "souce"),
        (["data", "columns"], "lable"),
        (["data", "split"], "knd"),
        (["data", "split", "few_shot"], "fractoin"),
        (["backbone"], "presett"),
        (["mft"], "alhpa"),
        (["meta_fine_tune"], "epoch"),
        (["optimizer"], "warm_up"),
    ],
)
def test_a_misspelt_key_is_named_alike_by_schema_and_program(tmp_path, schema, place, misspelt):
    values = {misspelt: 1}
    for section in reversed(place):
        values = {section: values}
    names = []
    for error in jsonschema.Draft202012Validator(schema).iter_errors(values):
        # A section that may also be null holds its findings one level down.
        for finding in (error, *(error.context or ())):
            if finding.validator == "additionalProperties":
                assert list(finding.absolute_path) == place
                names.append(finding.message)
    assert names == [
        f"Additional properties are not allowed ({misspelt!r} was unexpected)",
    ]
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(values))
    with pytest.raises(InputError, match="unknown key") as caught:
        load_config(recipe)
    assert caught.value.field == ".".join([*place, misspelt])


def test_every_key_is_explained(schema):
    """What an editor shows beside a key: a whole sentence, and not the key's own name."""
    described = [
        (f"{section}.{name}", field.get("description", ""))
        for section, part in {"Config": schema, **schema["$defs"]}.items()
        for name, field in part["properties"].items()
    ]
    assert len(described) > 50
    for key, description in described:
        assert len(description) >= 10, key
        assert description.endswith((".", ")")), (key, description)
        assert description.casefold() != key.split(".")[1].replace("_", " "), key
