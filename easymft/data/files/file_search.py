"""Which files `data.files` names, and their formats."""

import glob
import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from easymft.errors import InputError, shown

_FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}


def find_files(data: Any) -> list[tuple[Path, str | None, str]]:
    """Every file with its split (None: to be cut here, or named by a column) and format."""
    keys = set(data.files or {})
    if not keys or ("all" in keys and len(keys) > 1) or not keys & {"train", "all"}:
        raise InputError(
            "name either `all`, or `train` and, if there are any, `dev` and `test`. Received:"
            f" {sorted(keys) or 'nothing'}",
            field="data.files",
        )
    if data.columns.split is not None and "all" not in keys:
        raise InputError(
            "the files are given per split already; name one under `all`, or drop this column",
            field="data.columns.split",
        )
    keys_of: dict[Path, str] = {}
    found = []
    for key, pattern in data.files.items():
        base = os.path.expanduser(data.dir or "")
        files = _expand(Path(base, os.path.expanduser(pattern)), data.format, f"data.files.{key}")
        if not files:
            raise InputError(
                f"no file found. Received: {shown(pattern)}", field=f"data.files.{key}"
            )
        for path, form in files:
            if keys_of.setdefault(path, key) != key:
                message = f"{path} stands under `{keys_of[path]}` already"
                raise InputError(message, field=f"data.files.{key}")
            found.append((path, None if key == "all" else key, form))
    return found


def _expand(pattern: Path, stated: str, field: str) -> list[tuple[Path, str]]:
    """Files and their formats for a path or glob; a folder stands for the texts in it."""
    named = os.path.exists(pattern)
    matches = [pattern] if named else {Path(p) for p in glob.glob(str(pattern), recursive=True)}
    files: list[tuple[Path, str]] = []
    for match in sorted(matches):
        if match.is_dir():
            texts = sorted(match.glob("*/*/*.txt"))
            _refuse_links_out(texts, match, field)
            files += [(path, "folder") for path in texts]
        else:
            files.append((match, _format_of(match, stated)))
    if not named:
        fixed = [*itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts)]
        _refuse_links_out([path for path, _ in files], Path(*fixed), field)
    return files


def _refuse_links_out(paths: Iterable[Path], folder: Path, field: str) -> None:
    """Whoever made the folder must not have us read, and train on, files of the user's own."""
    root = os.path.realpath(folder)
    for path in paths:
        target = os.path.realpath(path)
        if os.path.commonpath([root, target]) != root:
            raise InputError(
                f"is a link that leads out of {folder}, to {target}; copy the file there, or name"
                " it itself",
                file=path,
                field=field,
            )


def _format_of(path: Path, stated: str) -> str:
    if stated == "folder":
        raise InputError("is a file; format `folder` wants a folder domain/label/*.txt", file=path)
    if stated != "auto":
        return stated
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in _FORMATS:
        known = ", ".join(_FORMATS)
        message = f"cannot tell the format from the file's name (known: {known}); set it"
        raise InputError(message, file=path, field="data.format")
    return _FORMATS[suffix]
