"""The one error that stands for bad input, and several of it at once."""

import difflib
import itertools
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any

MAX_PLACE = 400  # characters of a file's path that are shown
MAX_LISTED = 20
# Of more names than these, or of longer ones, nobody mistyped one.
MAX_HINTS = 1_000
MAX_HINT_CHARACTERS = 500

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100


class InputError(ValueError):
    """Something the user gave us (recipe, data, weights, command line) cannot be used.

    The command line prints the message as one line and ends with exit code 2, without a
    traceback; every other exception is a fault of ours or of the machine.

    Args:
        message: What was found and what to do about it, in one sentence or two.
        file: Path of the file at fault, if any.
        line: 1-based line (or row) in that file, if known.
        field: Recipe key or column at fault, if known.
    """

    def __init__(
        self,
        message: str,
        *,
        file: object | None = None,
        line: int | None = None,
        field: str | None = None,
    ):
        # The command line promises one short line, and a file name can hold anything.
        place = "" if file is None else " ".join(str(file).splitlines())
        if len(place) > MAX_PLACE:
            place = f"{place[: MAX_PLACE // 2]}…{place[-MAX_PLACE // 2 :]}"
        if line is not None:
            place = f"{place}:{line}" if place else f"line {line}"
        parts = [place, "" if field is None else f"`{field}`", message]
        super().__init__(": ".join(part for part in parts if part))
        self.file, self.line, self.field = file, line, field


class WorkerError(RuntimeError):
    """Other workers of a distributed run ended or cannot be reached."""


class InputErrors(InputError):  # noqa: N818 (it is several)
    """Several problems found in one pass over the user's data.

    Args:
        problems: The problems to show, in the order found.
        count: How many there were in all.
    """

    def __init__(self, problems: Sequence[InputError], count: int):
        lines = [f"{count} problems in the data:", *map(str, problems)]
        if count > len(problems):
            lines.append(f"... and {count - len(problems)} more")
        super().__init__("\n  ".join(lines))
        self.problems, self.count = tuple(problems), count


class Problems:
    """Collects problems: the first `MAX_SHOWN` are kept, all are counted."""

    MAX_SHOWN = 20

    def __init__(self) -> None:
        self.shown: list[InputError] = []
        self.count = 0

    def add(self, message: str, **place) -> None:
        """Count a problem; arguments as of `InputError`."""
        self.count += 1
        if len(self.shown) < self.MAX_SHOWN:
            self.shown.append(InputError(message, **place))

    def extend(self, other: "Problems") -> None:
        """Count another collection's problems too."""
        self.shown = (self.shown + other.shown)[: self.MAX_SHOWN]
        self.count += other.count

    def raise_if_any(self) -> None:
        """Raise the one problem, or `InputErrors` for several; nothing if there is none."""
        if self.count == 1:
            raise self.shown[0]
        if self.count:
            raise InputErrors(self.shown, self.count)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` is most like, whatever the case; None where none is."""
    nearby = itertools.islice((o for o in known if len(o) <= MAX_HINT_CHARACTERS), MAX_HINTS)
    by_folded = {other.strip().casefold(): other for other in nearby}
    close = difflib.get_close_matches(name.strip().casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` where a known name is like `name`, else nothing."""
    near = nearest(name, known)
    return "" if near is None else f"; did you mean {near!r}?"


def listed(names: Iterable[Any]) -> str:
    """Return the names in quotes, those beyond `MAX_LISTED` as their number."""
    names = list(names)
    more = [f"and {len(names) - MAX_LISTED:,} more"] if len(names) > MAX_LISTED else []
    return ", ".join([*map(shown, names[:MAX_LISTED]), *more]) or "none"


def shown(value: Any) -> str:
    """Return a value of the user's for a message of one line: quoted, and cut where it is long."""
    return _SHORT.repr(value)
