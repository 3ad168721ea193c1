"""One bad input: what to write, what to run on it, and what must be said."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

RECIPE = ("--config", "recipe.json")


@dataclass(frozen=True)
class Case:
    """A bad input and the answer to it.

    Args:
        name: What is wrong, for the table.
        build: Writes the input into an empty folder, in which the command then runs.
        says: Parts of the message, in any order: place, field, what was found, what to do.
        argv: Command line after `easymft`.
        first: Command lines that come before and must succeed.
        damage: Changes the folder after `first`.
        exit_code: 2 for what is refused; 0 where the input is only dirty and `says` is a remark.
        environment: Variables of the command's environment.
        light: Whether it is refused before TensorFlow is imported.
        trains: Whether a model must be trained, in this case or before it.
        reports: Parts that a report by its file's name must hold, and with a `!` before must not.
    """

    name: str
    build: Callable[[Path], object]
    says: tuple[str, ...]
    argv: tuple[str, ...] = RECIPE
    first: tuple[tuple[str, ...], ...] = ()
    damage: Callable[[Path], object] | None = None
    exit_code: int = 2
    environment: dict[str, str] = field(default_factory=dict)
    light: bool = False
    trains: bool = False
    reports: dict[str, tuple[str, ...]] = field(default_factory=dict)


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of everything in a folder: what a refused input must leave as it was."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if not path.is_dir()
    }


def faults(case: Case, folder: Path, before: dict, code: int, errors: str) -> list[str]:
    """What is wrong with the answer to a case; nothing where it is as it should be.

    Args:
        case: The case.
        folder: Where it ran.
        before: `snapshot` from before it ran.
        code: Exit code.
        errors: What it wrote to standard error.
    """
    message = message_of(errors) if case.exit_code else errors
    found = []
    if code != case.exit_code:
        found.append(f"exit code {code} instead of {case.exit_code}")
    if "Traceback" in errors:
        found.append("a traceback")
    found += [f"does not say {part!r}" for part in case.says if part not in message]
    if case.exit_code:
        # Several faults of the data are a line each, below a line that counts them.
        first, *others = message.split("\n")
        if others and not (
            "problems in the data:" in first and all(other.startswith("  ") for other in others)
        ):
            found.append("more than one line")
        if len(message) > 4_000 * (1 + len(others)):
            found.append(f"a message of {len(message):,} characters")
        changed = {name for name, state in snapshot(folder).items() if before.get(name) != state}
        if case.first:
            # The log of a run that exists already may say why it did not go on.
            changed = {name for name in changed if not name.endswith("/run.log")}
        if changed:
            found.append(f"left behind: {', '.join(sorted(changed)[:3])}")
    for name, parts in case.reports.items():
        text = next(folder.rglob(name), Path(os.devnull)).read_text(encoding="utf-8")
        for part in parts:
            if (part.removeprefix("!") in text) == part.startswith("!"):
                found.append(f"{name}: {part!r}")
    return found


def message_of(errors: str) -> str:
    """From the last `easymft: ` at the start of a line to the end."""
    _, mark, message = f"\n{errors}".rpartition("\neasymft: ")
    return (message if mark else errors).strip()
