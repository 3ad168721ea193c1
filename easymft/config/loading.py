"""From a recipe file and command-line overrides to a checked `Config`."""

import itertools
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from easymft.config import Config
from easymft.config.earlier_names import explain_earlier_name, with_present_names
from easymft.config.shipped import find_recipe, hint, shipped_folder
from easymft.config.strict_json import MAX_DEPTH, Place, dotted, parse
from easymft.errors import InputError, nearest

MAX_NAME_CHARACTERS = 64  # as the pattern of `Config.name` has it
# A recipe with every setting and its comments has 3 kB.
MAX_RECIPE_BYTES = 1_000_000
MAX_INCLUDE_DEPTH = 8
# Ten files that each include ten others are 10 ** 8 at the deepest.
MAX_INCLUDES = 100
_ABSENT = "no such file"


@dataclass(frozen=True)
class _Layer:
    """One recipe file (or one override), kept so that an error can say where a value stands."""

    file: str
    values: dict[str, Any]
    lines: dict[Place, int]


def load_config(
    path: str | Path, overrides: Iterable[str] = (), *, is_saved: bool = False
) -> Config:
    """Read a recipe, the fragments it includes, and `section.key=value` overrides.

    Later layers win: included fragments in their order, then the recipe, then overrides. An
    override's value is JSON where it parses as JSON and a plain string otherwise. Relative
    `include` paths start at the including file.

    Args:
        path: The recipe, a JSON object; or the bare name of one that comes along, such as
            `amazon`. An `include` may be a bare name too.
        overrides: `a.b=c` strings, as given to `--set`.
        is_saved: Whether a run wrote the file, perhaps of an earlier version, whose names of
            settings then are as good as those of now.

    Returns:
        The complete, checked configuration.

    Raises:
        InputError: The recipe cannot be read or breaks a rule; names file, line and key.
    """
    found = find_recipe(path)
    try:
        os.stat(found)
    except (OSError, ValueError) as error:
        message = f"cannot be read ({getattr(error, 'strerror', error)}){hint(path)}"
        raise InputError(message, file=path) from None
    layers = [*_read_layers(found, (), itertools.count()), *map(_override, overrides)]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer.values)
    if is_saved:
        merged = with_present_names(merged)
    # The file's name is the recipe's name unless it says otherwise.
    merged.setdefault("name", name_of(path))
    return config_from_dict(merged, layers)


def name_of(path: str | Path) -> str:
    """Return the name of a recipe that says none: its file's, in letters that a name may have."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).stem).lstrip("._-")
    return name[:MAX_NAME_CHARACTERS] or "recipe"


def apply_overrides(values: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return the values of a recipe with `section.key=value` overrides laid over them."""
    for text in overrides:
        values = merge(values, _override(text).values)
    return values


def list_recipes(folder: str | Path | None = None) -> list[str]:
    """Return name and description of every recipe in a folder, one line each.

    Args:
        folder: `None`: the recipes that come along, by the names under which they are found.
    """
    paths = sorted(Path(folder or shipped_folder("app_zoo")).glob("*.json"))
    if not paths:
        raise InputError("must be a folder of recipes, such as app_zoo", file=folder)
    names = [path.name if folder else path.stem for path in paths]
    width = max(map(len, names))
    return [
        f"{name:<{width}}  {load_config(path).description}"
        for name, path in zip(names, paths, strict=True)
    ]


def config_from_dict(values: dict[str, Any], layers: Iterable[_Layer] = ()) -> Config:
    """Check a recipe given as a dict; see `load_config`."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        _explain(error, values, list(layers))


def _read_layers(path: Path, parents: tuple[Path, ...], reads: Iterator[int]) -> list[_Layer]:
    """Return the file's included fragments, deepest first, then the file itself.

    Args:
        path: The file.
        parents: The files that led to it.
        reads: Counts the files that have been included.
    """
    # Not `Path.resolve`, which raises a RuntimeError of its own where links form a loop.
    path = Path(os.path.realpath(path))
    values, lines = parse(_read(path), path)
    if not isinstance(values, dict):
        raise InputError("a recipe is a JSON object: {...}", file=path, line=1)
    values.pop("$schema", None)  # for editors
    names = values.pop("include", [])
    as_list = [names] if isinstance(names, str) else names
    line = lines.get(("include",))
    if not isinstance(as_list, list) or not all(isinstance(name, str) for name in as_list):
        message = f"must be a path or a list of paths. Received: {_short(names)}"
        raise InputError(message, file=path, line=line, field="include")
    layers = []
    chain = (*parents, path)
    for index, name in enumerate(as_list):
        fragment = find_recipe(name, path.parent)
        fault = _include_fault(fragment, chain)
        if fault == _ABSENT:
            fault += hint(name, path.parent)
        if not fault and next(reads) == MAX_INCLUDES:
            fault = f"more than {MAX_INCLUDES} files are included in all"
        if fault:
            line = lines.get(("include", index), line)
            raise InputError(
                f"{fault}. Received: {_short(name)}", file=path, line=line, field="include"
            )
        layers += _read_layers(fragment, chain, reads)
    return [*layers, _Layer(str(path), values, lines)]


def _include_fault(fragment: Path, chain: tuple[Path, ...]) -> str | None:
    # Not `Path.is_file`, which raises where a name is too long.
    if not os.path.isfile(fragment):
        return _ABSENT
    fragment = Path(os.path.realpath(fragment))
    if fragment in chain:
        loop = " -> ".join(file.name for file in (*chain[chain.index(fragment) :], fragment))
        return f"files include each other in a loop: {loop}"
    if len(chain) > MAX_INCLUDE_DEPTH:
        return f"files include each other more than {MAX_INCLUDE_DEPTH} deep"
    return None


def _read(path: Path) -> str:
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):
            raise InputError("is a pipe, which may never end; name a file", file=path)
        with path.open("rb") as handle:
            content = handle.read(MAX_RECIPE_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", file=path) from None
    if len(content) > MAX_RECIPE_BYTES:
        raise InputError(f"larger than {MAX_RECIPE_BYTES:,} bytes: not a recipe", file=path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError("not UTF-8 text; save it as UTF-8", file=path, line=line) from None
    if not text.strip():
        raise InputError("empty; the smallest recipe is {}", file=path)
    return text


def _override(text: str) -> _Layer:
    key, equals, value = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts) or len(parts) > MAX_DEPTH:
        raise InputError(
            f"must look like `section.key=value`. Received: {_short(text)}", field="--set"
        )
    try:
        parsed, _ = parse(value, "--set")
    except InputError:
        parsed = value
    for part in reversed(parts):
        parsed = {part: parsed}
    return _Layer("--set", parsed, {})


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with the keys of `over` in it, objects within objects alike."""
    merged = dict(base)
    for key, value in over.items():
        both_objects = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_objects else value
    return merged


def _explain(error: ValidationError, values: dict[str, Any], layers: list[_Layer]) -> NoReturn:
    """Turn pydantic's first finding into one line; count the other fields at fault."""
    findings = error.errors(include_url=False)
    first = findings[0]
    if first["type"] == "missing":
        values = {**values, **dict.fromkeys(map(str, first["loc"]))}
    place = _reach(values, first["loc"])
    known = dict(_fields(Config))
    if first["type"] == "extra_forbidden":
        message = _unknown_key(place, list(known))
    else:
        rule = first["msg"].removeprefix("Value error, ")
        if first["type"] == "model_type":
            rule = "must be an object: {...}"
        message = f"{rule[0].lower()}{rule[1:]}. Received: {_short(first['input'])}"
        if place in known:
            message += f". This is: {known[place].description}"
    others = {_reach(values, finding["loc"]) for finding in findings} - {place}
    if others:
        message += f" ({len(others)} more after this one)"
    layer = next(
        (layer for layer in reversed(layers) if _reach(layer.values, place) == place), None
    )
    raise InputError(
        message,
        file=layer.file if layer else (layers[-1].file if layers else None),
        line=layer.lines.get(place) if layer else None,
        field=dotted(place) or None,
    ) from None


def _reach(values: Any, location: Place) -> Place:
    """Return the parts of `location` that lead into `values`; pydantic mixes names of types in."""
    place = []
    for part in location:
        in_list = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if in_list or (isinstance(values, dict) and part in values):
            values = values[part]
            place.append(part)
    return tuple(place)


def _fields(section: type[BaseModel], place: Place = ()) -> Iterator[tuple[Place, FieldInfo]]:
    """Every field a recipe may hold, sections before what is in them."""
    for name, field in section.model_fields.items():
        yield (*place, name), field
        for kind in getattr(field.annotation, "__args__", (field.annotation,)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _fields(kind, (*place, name))


def _unknown_key(place: Place, known: list[Place]) -> str:
    if place == ("include",):
        return "only a recipe file may include others"
    if earlier := explain_earlier_name(dotted(place)):
        return earlier
    *section, last = place
    key = str(last)
    here = [str(other[-1]) for other in known if list(other[:-1]) == section]
    if not section:
        here.insert(0, "include")
    elsewhere = [dotted(other) for other in known if other[-1] == key]
    near = nearest(key, here) or next(iter(elsewhere), None)
    hint = f"did you mean `{near}`?" if near else f"known here: {', '.join(here)}"
    return f"unknown key; {hint}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
