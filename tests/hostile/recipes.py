"""Bad recipes and bad command lines: refused before TensorFlow is imported."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.case import RECIPE, Case


def recipe(content: str | bytes | dict[str, Any]) -> Callable[[Path], None]:
    """Writes recipe.json."""

    def build(folder: Path) -> None:
        text = json.dumps(content) if isinstance(content, dict) else content
        path = folder / "recipe.json"
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    return build


def several(**contents: str) -> Callable[[Path], None]:
    """Writes a recipe for every name."""

    def build(folder: Path) -> None:
        for name, content in contents.items():
            (folder / f"{name}.json").write_text(content, encoding="utf-8")

    return build


def sparse(size: int) -> Callable[[Path], None]:
    """Writes a recipe of so many bytes that takes no room on the disk."""

    def build(folder: Path) -> None:
        (folder / "recipe.json").write_text("{")
        os.truncate(folder / "recipe.json", size)

    return build


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "recipe.json")


def nothing(folder: Path) -> None:
    """The command line alone is at fault."""


def _include_bomb(folder: Path) -> None:
    for level in range(6):
        names = json.dumps([f"r{level + 1}.json"] * 10)
        (folder / f"r{level}.json").write_text(f'{{"include": {names}}}')
    (folder / "r6.json").write_text("{}")
    os.rename(folder / "r0.json", folder / "recipe.json")


def _chain(folder: Path) -> None:
    for level in range(10):
        (folder / f"r{level}.json").write_text(f'{{"include": "r{level + 1}.json"}}')
    os.rename(folder / "r0.json", folder / "recipe.json")


_TOO_DEEP = "nested more than 32 deep: not a recipe"

RECIPES = [
    ("not JSON", recipe('{\n"seed": 1,\n}'), ("recipe.json:3: not valid JSON",)),
    ("YAML for JSON", recipe("seed: 1\n"), ("recipe.json:1: not valid JSON",)),
    ("empty file", recipe(""), ("recipe.json: empty; the smallest recipe is {}",)),
    ("a list", recipe("[]"), ("recipe.json:1: a recipe is a JSON object: {...}",)),
    (
        "a key twice",
        recipe('{"mft": {"alpha": 0.1,\n"alpha": 0.2}}'),
        ("recipe.json:2: `mft.alpha`: stands twice in one object; keep one",),
    ),
    (
        "NaN",
        recipe('{"mft":\n{"clip": NaN}}'),
        ("recipe.json:2: NaN is not a number in JSON; give a finite number or null",),
    ),
    (
        "number beyond every float",
        recipe('{\n"mft": {"clip": 1e999}}'),
        ("recipe.json:2: `mft.clip`:", "finite"),
    ),
    (
        "integer of 5,000 digits",
        recipe('{"seed": ' + "9" * 5000 + "}"),
        ("recipe.json:1: an integer of 5,000 digits is not a number in JSON",),
    ),
    (
        "text for a number",
        recipe('{\n"seed": "one"}'),
        ("recipe.json:2: `seed`: input should be a valid integer. Received: 'one'. This is: Seed",),
    ),
    ("true for a number", recipe({"mft": {"alpha": True}}), ("`mft.alpha`:", "Received: True")),
    (
        "a negative number",
        recipe('{"fine_tune":\n{"epochs": -1}}'),
        ("recipe.json:2: `fine_tune.epochs`:", "greater than or equal to 0. Received: -1"),
    ),
    (
        "an unknown key",
        recipe('{"mft":\n{"alpah": 1}}'),
        ("recipe.json:2: `mft.alpah`: unknown key; did you mean `alpha`?",),
    ),
    (
        "a key in another section",
        recipe({"alpha": 0.5}),
        ("recipe.json:1: `alpha`: unknown key; did you mean `mft.alpha`?",),
    ),
    (
        "60,000 unknown keys",
        recipe({f"k{n}": 0 for n in range(60_000)}),
        ("`k0`: unknown key; known here: include, name", "(59999 more after this one)"),
    ),
    (
        "an unknown method",
        recipe({"method": "bert"}),
        ("recipe.json:1: `method`:", "'mft'", "Received: 'bert'"),
    ),
    (
        "a loop of includes",
        several(recipe='{"include": "a.json"}', a='{\n"include": "recipe.json"}'),
        ("a.json:2: `include`: files include each other in a loop: recipe.json -> a.json -> re",),
    ),
    (
        "an include that is not there",
        recipe('{\n"include": "absent.json"}'),
        ("recipe.json:2: `include`: no such file. Received: 'absent.json'",),
    ),
    ("a number as include", recipe({"include": 5}), ("`include`: must be a path or a list of",)),
    (
        "an include with a name of 5,000 letters",
        recipe({"include": "a" * 5000}),
        ("recipe.json:1: `include`: no such file. Received: 'aaa",),
    ),
    ("includes 10 deep", _chain, ("`include`: files include each other more than 8 deep",)),
    (
        "a million includes in seven files",
        _include_bomb,
        ("`include`: more than 100 files are included in all",),
    ),
    (
        "a run folder elsewhere, by its name",
        recipe({"name": "../../etc/cron.d"}),
        ("recipe.json:1: `name`:", "Received: '../../etc/cron.d'", "folder under `output_dir`"),
    ),
    ("NUL in a path", recipe({"output_dir": "a\0b"}), ("`output_dir`: no file", "NUL")),
    ("half a surrogate pair", recipe('{"output_dir": "\\ud800"}'), ("half of a pair",)),
    ("50 MB", sparse(50_000_000), ("recipe.json: larger than 1,000,000 bytes: not a recipe",)),
    (
        "not UTF-8",
        recipe(b'{\n"description": "caf\xe9"}'),
        ("recipe.json:2: not UTF-8 text; save it as UTF-8",),
    ),
    ("100,000 open brackets", recipe('{"data":' * 100_000), (f"recipe.json: {_TOO_DEEP}",)),
    ("100 levels", recipe('{"data":' * 100 + "1" + "}" * 100), (f"recipe.json:1: {_TOO_DEEP}",)),
    ("a pipe", pipe, ("recipe.json: is a pipe, which may never end; name a file",)),
    (
        "a saved split without its file",
        recipe({"data": {"split": {"kind": "saved"}}}),
        ("recipe.json:1: `data.split`: `ids` names the file of kind `saved`",),
    ),
    (
        "two settings for one",
        recipe({"data": {"split": {"few_shot": {"fraction": 0.1, "per_class": 5}}}}),
        ("`data.split.few_shot`: give either `fraction` or `per_class`",),
    ),
    (
        "three faults at once",
        recipe({"seed": "a", "data": {"split": {"dev": 0, "test": 0}}}),
        ("recipe.json:1: ", "(2 more after this one)"),
    ),
]

COMMAND_LINES = [
    ("no recipe", nothing, ("`--config`: is missing; name a recipe, such as amazon",), ()),
    ("a recipe that is not there", nothing, ("recipe.json: cannot be read (No such file",), RECIPE),
    ("a folder as recipe", nothing, ("cannot be read (Is a directory)",), ("--config", ".")),
    ("an endless device", nothing, ("/dev/zero: larger than",), ("--config", "/dev/zero")),
    ("--config without value", nothing, ("config", "--help lists the flags"), ("--config",)),
    (
        "an unknown mode",
        recipe("{}"),
        ("--mode=trian: value should be one of", "--help lists the flags"),
        (*RECIPE, "--mode", "trian"),
    ),
    ("an unknown flag", recipe("{}"), ("'colour'", "--help"), (*RECIPE, "--colour", "red")),
    ("a stray word", recipe("{}"), ("unexpected argument 'x'; settings go by --set",), ("x",)),
    ("a seed of letters", recipe("{}"), ("--seed=one:", "--help"), (*RECIPE, "--seed", "one")),
    ("a negative seed", recipe("{}"), ("--set: `seed`:", "Received: -1"), (*RECIPE, "--seed=-1")),
    (
        "--set without value",
        recipe("{}"),
        ("`--set`: must look like `section.key=value`. Received: 'mft.alpha'",),
        (*RECIPE, "--set", "mft.alpha"),
    ),
    (
        "--set without key",
        recipe("{}"),
        ("`--set`: must look like `section.key=value`. Received: '=3'",),
        (*RECIPE, "--set", "=3"),
    ),
    (
        "--set of an unknown key",
        recipe("{}"),
        ("--set: `mft.alpah`: unknown key; did you mean `alpha`?",),
        (*RECIPE, "--set", "mft.alpah=1"),
    ),
    (
        "--set into a value",
        recipe("{}"),
        ("--set: `seed`:", "Received: {'x': 1}"),
        (*RECIPE, "--set", "seed.x=1"),
    ),
    (
        "a list of recipes where there are none",
        nothing,
        (".: must be a folder of recipes, such as app_zoo",),
        ("--mode", "list", "--config", "."),
    ),
]

CASES = [
    *(Case(f"recipe: {name}", build, says, light=True) for name, build, says in RECIPES),
    *(
        Case(f"command: {name}", build, says, argv, light=True)
        for name, build, says, argv in COMMAND_LINES
    ),
    Case(
        "command: recipe shown on a terminal without its letters",
        recipe({"description": "caf\u00e9 \u4e2d\u6587"}),
        (),
        (*RECIPE, "--mode", "render"),
        exit_code=0,
        environment={"PYTHONIOENCODING": "ascii"},
        light=True,
    ),
]
