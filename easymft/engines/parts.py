"""What is to be scored, file by file, and what of it is done."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from easymft.data.files.file_search import expand
from easymft.errors import InputError, shown
from easymft.fetch import remote
from easymft.files import TEMPORARY

MANIFEST = "_MANIFEST"  # what begins with `_` is no part to whoever reads the folder
WORK = "_work"


@dataclass(frozen=True)
class Part:
    """One file of the input, and the one of the output that answers it.

    Attributes:
        number: Its place among the input's files, which are sorted by name.
        source: Path or URL of the input's file.
        target: Path or URL of the output's.
        work: Path or URL of a file for what one pass leaves to the next.
    """

    number: int
    source: str
    target: str
    work: str


def plan(source: str, output: str, facts: Mapping[str, Any]) -> list[Part]:
    """Return the parts of an input, in the order of its files' names.

    Args:
        source: Path, folder, glob or URL of these.
        output: Folder or URL; made if it is not there.
        facts: What the output depends on beside the input; with the input's names it is written
            down in the folder, so that the parts of two inputs or models are never mixed.

    Raises:
        InputError: There is no input, or the folder holds something else.
    """
    found = _found(source)
    manifest = {**facts, "files": [name.rpartition("/")[2] for name in found]}
    digest = hashlib.sha256(json.dumps([found, facts], sort_keys=True).encode()).hexdigest()
    text = json.dumps({"sha256": digest, **manifest}, indent=2, ensure_ascii=False) + "\n"
    folder = output.rstrip("/")
    place = f"{folder}/{MANIFEST}"
    there = {name for name in remote.names(folder, "--output") if not name.startswith(TEMPORARY)}
    if MANIFEST in there:
        if remote.read_text(place, "--output") != text:
            raise InputError(
                "holds answers to another input, or of another model; choose another folder",
                file=folder,
                field="--output",
            )
    elif there:
        raise InputError("holds files already; choose a new folder", file=folder, field="--output")
    else:
        remote.write_text(place, text, "--output")
    return [
        Part(
            number,
            name,
            f"{folder}/part-{number:05d}.parquet",
            f"{folder}/{WORK}/part-{number:05d}.parquet",
        )
        for number, name in enumerate(found)
    ]


def waiting(parts: list[Part], output: str, folder: str = "") -> list[Part]:
    """Return the parts without their file in the output, or in a folder of it."""
    place = "/".join(filter(None, [output.rstrip("/"), folder]))
    there = remote.names(place, "--output")
    return [part for part in parts if part.target.rpartition("/")[2] not in there]


def _found(source: str) -> list[str]:
    if remote.is_url(source):
        found = remote.listed(source, "--input")
    else:
        given = expand(source, "auto", "--input")
        if "folder" in given.values():
            message = "is a folder of single texts; write them into files of rows"
            raise InputError(message, file=source, field="--input")
        found = sorted(str(path.absolute()) for path in given)
    if not found:
        raise InputError(f"no file found. Received: {shown(source)}", field="--input")
    return found


def fingerprint(folder: Path) -> str:
    """Return what tells one exported model from the next: the SHA-256 of its files."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
