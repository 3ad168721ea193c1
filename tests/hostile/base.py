"""A good run in miniature, of which every case of data, weights or folder spoils one thing."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.small_run import write_recipe

HEADER = "text,label,domain\n"
GOOD_ROWS = "".join(
    f"the {'good' if n % 2 else 'cafe'} {n},{'good' if n % 2 else 'bad'},{domain}\n"
    for domain in ("books", "films")
    for n in range(30)
)
GOOD = HEADER + GOOD_ROWS


def many(bad: str) -> str:
    """100,000 good rows with a bad one after half of them."""
    rows = [f"the cafe {n},{('good', 'bad')[n % 2]},{('b', 'f')[n // 2 % 2]}" for n in range(10**5)]
    return HEADER + "\n".join([*rows[:50_000], bad, *rows[50_000:]]) + "\n"


def base(folder: Path, data: Mapping[str, Any] | None = None, **settings: Any) -> None:
    """Write recipe.json, texts.csv and an encoder; `data` and `settings` are merged in."""
    path = write_recipe(folder)
    values = json.loads(path.read_text())
    path.unlink()
    values |= {"name": "hostile", "output_dir": "runs", "method": "mix"}
    values["data"] |= {"files": {"all": "texts.csv"}, "columns": {}, **(data or {})}
    for section, value in settings.items():
        both = isinstance(value, dict) and isinstance(values.get(section), dict)
        values[section] = {**values[section], **value} if both else value
    (folder / "recipe.json").write_text(json.dumps(values))
    (folder / "texts.csv").write_text(GOOD)


def spoiled(
    spoil: Callable[[Path], object], data: Mapping[str, Any] | None = None, **settings: Any
) -> Callable[[Path], None]:
    """Writes the good run, then lets `spoil` loose in its folder."""

    def build(folder: Path) -> None:
        base(folder, data, **settings)
        spoil(folder)

    return build


Content = str | bytes | Callable[[], str | bytes]
"""What a file holds, or a function that makes it where it is large."""


def file(name: str, content: Content, **data: Any) -> Callable[[Path], None]:
    """Writes the good run on one other file."""

    def spoil(folder: Path) -> None:
        made = content() if callable(content) else content
        (folder / name).write_bytes(made.encode() if isinstance(made, str) else made)

    return spoiled(spoil, {"files": {"all": name}, **data})


def texts(content: Content, **data: Any) -> Callable[[Path], None]:
    """Writes the good run with another texts.csv."""
    return file("texts.csv", content, **data)


def settings(data: Mapping[str, Any] | None = None, **others: Any) -> Callable[[Path], None]:
    """Writes the good run with other settings."""
    return spoiled(lambda folder: None, data, **others)
