"""JSON as recipes need it: no key twice, no NaN, and the line on which everything stands."""

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from easymft.errors import InputError

MAX_DEPTH = 32

Place = tuple[str | int, ...]
"""Way from the outermost value to a key or a list element: `("mft", "class_weights", 0)`."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s"{}\[\],:]+')
# Python may be told to refuse integers of more than 640 digits, but of no fewer.
_NO_NUMBER = re.compile(r"NaN|-?Infinity|-?[0-9]{641,}")


def parse(text: str, file: object) -> tuple[Any, dict[Place, int]]:
    """Read JSON that a person wrote.

    Args:
        text: The JSON.
        file: Its file, for error messages.

    Returns:
        The value, and the 1-based line of every key and list element in it.

    Raises:
        InputError: Broken JSON, a key twice in one object, NaN or Infinity, an absurdly long
            integer, or nesting deeper than `MAX_DEPTH`; names the line.
    """
    too_deep = f"nested more than {MAX_DEPTH} deep: not a recipe"
    try:
        value = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise InputError(f"not valid JSON: {error.msg}", file=file, line=error.lineno) from None
    except ValueError:
        token, line = _first_bad_number(text)
        raise InputError(
            f"{token} is not a number in JSON; give a finite number or null", file=file, line=line
        ) from None
    except RecursionError:
        raise InputError(too_deep, file=file) from None
    lines: dict[Place, int] = {}
    for place, line in _places(text):
        if len(place) > MAX_DEPTH:
            raise InputError(too_deep, file=file, line=line)
        if place in lines:
            raise InputError(
                "stands twice in one object; keep one", file=file, line=line, field=dotted(place)
            )
        lines[place] = line
    return value, lines


def dotted(place: Place) -> str:
    """Write a place as people do: `mft.class_weights[0]`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    end = 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", end, match.start())
        end = match.start()
        yield match[0], line


def _first_bad_number(text: str) -> tuple[str, int]:
    """NaN, Infinity, or more digits than `int` takes; the text before it is sound JSON."""
    matches = ((_NO_NUMBER.match(token), line) for token, line in _tokens(text))
    found, line = next((match[0], line) for match, line in matches if match)
    return (f"an integer of {len(found):,} digits" if len(found) > 640 else found), line


def _places(text: str) -> Iterator[tuple[Place, int]]:
    """Every key and list element of sound JSON, in the order of the text."""
    # One part per open object or list; None where an object's next key is awaited.
    parts: list[str | int | None] = []
    for token, line in _tokens(text):
        if token in "}]":
            parts.pop()
        elif token == ",":
            parts[-1] = parts[-1] + 1 if isinstance(parts[-1], int) else None
        elif token != ":":
            is_key = bool(parts) and parts[-1] is None
            if is_key:
                parts[-1] = json.loads(token)
            if is_key or (parts and isinstance(parts[-1], int)):
                yield tuple(part for part in parts if part is not None), line
            if token in "{[":
                parts.append(None if token == "{" else 0)
