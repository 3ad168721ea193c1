"""Checks of the models' arguments, all of one wording."""

from collections.abc import Sequence


def check_positive(name: str, value: int) -> None:
    """Raise a `ValueError` unless `value` is a whole number of at least 1."""
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` must be a whole number of at least 1. Received: {value!r}")


def check_not_negative(name: str, value: float) -> None:
    """Raise a `ValueError` unless `value` is a number of at least 0; nan is none."""
    if not value >= 0:
        raise ValueError(f"`{name}` must be at least 0. Received: {value!r}")


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise a `ValueError` unless `value` is one of `choices`."""
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"`{name}` must be one of {known}. Received: {value!r}")
