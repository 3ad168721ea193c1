"""Checks of the arguments of layers and models, all of one wording."""

import numbers
from collections.abc import Sequence
from typing import Any


def check(holds: Any, name: str, rule: str, received: Any) -> None:
    """Raise a `ValueError` that tells an argument's rule and what was received, unless it holds."""
    if not holds:
        raise ValueError(f"`{name}` must be {rule}. Received: {received!r}")


def check_integer(name: str, value: Any, least: int = 1) -> int:
    """Return `value` as an `int`, or raise a `ValueError` where it is none of at least `least`."""
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    check(is_integer and value >= least, name, f"an integer of at least {least}", value)
    return int(value)


def check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    """Raise a `ValueError` unless `value` is one of `choices`."""
    check(value in choices, name, f"one of {', '.join(map(repr, choices))}", value)
