"""A user's own files as a corpus: CSV, TSV, JSONL, Parquet, gzip, globs, folders of texts.

Every row that cannot be used is reported with file and line, all of them in one pass.
"""

import os
from collections import Counter
from pathlib import Path

from easymft.config import DataConfig
from easymft.data.corpus.intake import Intake
from easymft.data.corpus.rows import is_missing, to_name
from easymft.data.corpus.schema import Corpus
from easymft.data.files.file_search import DataFile, find_files
from easymft.data.files.reader import read_file
from easymft.data.files.row_source import RowSource, Tally

NAME = "files"
# Columns that a file which comes after training may lack.
_OPTIONAL = frozenset({"id", "split", "weight"})


def read_files(data: DataConfig, later: bool = False, domain: str | None = None) -> Corpus:
    """Read the files that the recipe's `data` section names.

    Args:
        data: The section.
        later: Whether the texts come after training: the columns of id, split and weight, and their
            values, may then be missing.
        domain: The only domain there may be, of rows too that name none, for later texts; the
            column of domains may then be missing, too.

    Returns:
        The corpus; its `split` column comes from the key a file stands under (train, dev, test)
        or from `data.columns.split`.

    Raises:
        InputError: A file is missing or cannot be read, or lacks a column.
        InputErrors: All rows that cannot be used, with what else is wrong with the splits.
    """
    files = find_files(data)
    optional = _OPTIONAL if later else frozenset()
    if domain is not None:
        optional |= {"domain"}
    intake = Intake(
        data.on_bad_row,
        data.columns.by_role(),
        source={"file": files[0].path, "field": "data.files"},
    )
    root = Path(os.path.commonpath([file.path.absolute().parent for file in files]))
    notes: Counter[str] = Counter()
    tally = Tally()
    for file in files:
        source = RowSource(
            path=file.path,
            columns=data.columns.by_role(file.split),
            encoding=data.encoding,
            delimiter=data.delimiter,
            problems=intake.problems,
            fault=lambda message, line, path=file.path: intake.refuse(
                message, file=path, line=line
            ),
            note=lambda note: notes.update([note]),
            tally=tally,
            optional=optional,
        )
        name, path = _name(file, root), str(file.path)
        for line, row in read_file(source, file.form):
            if later:
                row = {k: v for k, v in row.items() if k not in optional or not is_missing(v)}
            if domain is not None:
                row = {"domain": domain, **row}
                if to_name(row["domain"]) != domain:
                    message = f"must be {domain!r}, which is asked for. Received: {row['domain']!r}"
                    place = {"file": path, "line": line, "field": data.columns.domain}
                    intake.refuse(message, **place)
                    continue
            own = name if file.form == "folder" else f"{name}:{line}"
            intake.add(row, id=own, file=path, line=line, split=file.split)
    counted = [f"{count} x {note}" if count > 1 else note for note, count in notes.items()]
    origin = ", ".join(sorted({str(pattern) for pattern in data.files.values()}))
    return intake.finish(NAME, origin, [*counted, *tally.notes()])


def _name(file: DataFile, root: Path) -> str:
    """Return what the ids of a file's texts begin with where the user gives none."""
    if file.form == "folder":
        return "/".join([*filter(None, [file.split]), *file.path.parts[-3:]])
    return file.path.absolute().relative_to(root).as_posix()
