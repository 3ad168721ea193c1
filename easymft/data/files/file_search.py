"""Which files `data.files` names, and their formats."""

import glob
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from easymft.config.data import DataConfig
from easymft.data.corpus.parts import UNLABELED
from easymft.data.corpus.rows import SPLIT_NAMES
from easymft.data.files.reader import SUFFIXES, format_of, suffix_of
from easymft.errors import InputError, shown
from easymft.fetch import remote


@dataclass(frozen=True)
class DataFile:
    """A file of rows.

    Args:
        path: The file.
        form: Its format; see `easymft.data.files.reader.read_file`.
        split: train, dev, test or unlabeled; None: to be cut here, or named by a column.
    """

    path: Path
    form: str
    split: str | None = None


def find_files(data: DataConfig) -> list[DataFile]:
    """Find every file that the recipe's `data` section names.

    Raises:
        InputError: None is found, one stands under two keys, or the format cannot be told.
    """
    keys = set(data.files or {}) - {UNLABELED}
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
        named = remote.joined(data.dir or "", pattern)
        files = expand(named, data.format, f"data.files.{key}")
        if not files:
            raise InputError(
                f"no file found. Received: {shown(pattern)}", field=f"data.files.{key}"
            )
        for path, form in files.items():
            if keys_of.setdefault(path, key) != key:
                message = f"{path} stands under `{keys_of[path]}` already"
                raise InputError(message, field=f"data.files.{key}")
            found.append(DataFile(path, form, None if key == "all" else key))
    return found


def expand(
    named: str | Path, stated: str, field: str, folder: Path | None = None
) -> dict[Path, str]:
    """Return the files of a path or glob and their formats; a folder stands for what is in it.

    Args:
        named: The path or glob; that of a URL has its files copied to this machine.
        stated: The format that the user states, or `auto`.
        field: What named it, for messages.
        folder: Where copies go; by default the cache.

    Raises:
        InputError: It cannot be read, or holds what is no file of rows.
    """
    if remote.is_url(named):
        found = (expand(path, stated, field) for path in remote.copies(str(named), field, folder))
        return {path: form for files in found for path, form in files.items()}
    pattern = Path(os.path.expanduser(named))
    if os.path.isdir(pattern):
        return _in_folder(pattern, stated, field)
    if os.path.exists(pattern):
        return {pattern: _format_of(pattern, stated)}
    matches = sorted({Path(path) for path in glob.glob(str(pattern), recursive=True)})
    fixed = [*itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts)]
    _refuse_links_out(matches, Path(*fixed), field)
    files: dict[Path, str] = {}
    for match in matches:
        if match.is_dir():
            files |= _in_folder(match, stated, field, is_named=False)
        elif not _is_mark(match):
            files[match] = _format_of(match, stated)
    return files


def _in_folder(folder: Path, stated: str, field: str, is_named: bool = True) -> dict[Path, str]:
    """Return the texts `domain/label/*.txt` in a folder, or else the parts of one table.

    Raises:
        InputError: The folder holds neither, though it was named, or more than one table.
    """
    texts = sorted(folder.glob("*/*/*.txt")) if stated in ("auto", "folder") else []
    parts = sorted(_parts(folder)) if stated != "folder" and not texts else []
    _refuse_links_out([*texts, *parts], folder, field)
    if texts:
        return dict.fromkeys(texts, "folder")
    files = {path: _format_of(path, stated) for path in parts}
    forms = set(files.values())
    splits = {path.name.split(".")[0] for path in parts} & SPLIT_NAMES.keys()
    if is_named and not files:
        message = (
            "is a folder without texts (domain/label/*.txt) and without files of rows"
            f" ({', '.join(SUFFIXES)})"
        )
    elif splits:
        message = (
            f"is a folder with files of single splits ({', '.join(sorted(splits))}); name each"
            " under `data.files.train`, `.dev` or `.test`"
        )
    elif len(forms) > 1:
        message = (
            f"is a folder with files of several formats ({', '.join(sorted(forms))}); name those of"
            f" one: {folder}/*{parts[0].suffix}"
        )
    else:
        return files
    raise InputError(message, file=folder, field=field)


def _parts(folder: Path) -> Iterator[Path]:
    """Yield the files that Spark, Hive, Arrow or Polars wrote for one table.

    They stand in the folder itself, or below in folders called `column=value`.
    """
    for path in folder.iterdir():
        if path.is_dir():
            if "=" in path.name:
                yield from _parts(path)
        elif not path.name.startswith((".", "_")) and suffix_of(path) in SUFFIXES:
            yield path


def _is_mark(path: Path) -> bool:
    """Return whether a file is what such programs leave beside the parts, as `_SUCCESS`."""
    return path.name.startswith("_") and suffix_of(path) not in SUFFIXES


def _refuse_links_out(paths: Iterable[Path], folder: Path, field: str) -> None:
    """Refuse links by which whoever made the folder would have us read files of the user's own.

    Raises:
        InputError: A path leads out of the folder.
    """
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
    return format_of(path, field="data.format")
