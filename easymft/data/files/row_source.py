"""One file of the user's, and what its reader needs to know and counts."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from easymft.data.files.encoding import MAX_UNDECODABLE_SHARE, Encoding
from easymft.errors import Problems, did_you_mean, listed, shown


class Tally:
    """Counts what readers read and leave out, over all files of a corpus.

    Attributes:
        rows: Rows of the files that have lines.
        lines: Lines of these files, blank ones and headers among them.
    """

    def __init__(self):
        self.rows = self.lines = 0
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def count(self, what: str, path: Path, line: int) -> None:
        """Count something worth a note; the first place is kept."""
        self._counts[what] = self._counts.get(what, 0) + 1
        self._first.setdefault(what, f"{path}:{line}")

    def notes(self) -> list[str]:
        """Return what to tell the user, a line each."""
        read = [f"{self.rows:,} rows on {self.lines:,} lines"] if self.lines else []
        counted = [
            f"{count:,} {what} (first: {self._first[what]})" for what, count in self._counts.items()
        ]
        return read + counted


@dataclass(frozen=True)
class RowSource:
    """A file to read rows from.

    Args:
        path: The file.
        columns: Column name by role (text, label, ...), for the roles that are to be read.
        fault: Called with message and line for a row that cannot be used.
        problems: Takes problems of the whole file.
        encoding: Encoding, or "auto".
        delimiter: Delimiter, or "auto".
        note: Called with facts to show the user.
        optional: Roles whose column the file, or a row of it, may lack; None stands in.
        as_is: Whether rows of empty cells and repeated headers are rows like any other.
        tally: Counts rows, lines and what is left out.
    """

    path: Path
    columns: dict[str, str]
    fault: Callable[[str, int | None], None]
    problems: Problems = field(default_factory=Problems)
    encoding: str = "auto"
    delimiter: str = "auto"
    note: Callable[[str], None] = lambda note: None
    optional: Set[str] = frozenset()
    as_is: bool = False
    tally: Tally = field(default_factory=Tally)

    def find_columns(self, header: Sequence[str], line: int = 1) -> dict[str, int]:
        """Return the position in `header`, which stands on `line`, of every column to be read.

        Raises:
            InputError: A column is missing that is not optional, or its name stands in the header
                twice.
        """
        trimmed = [name.strip() for name in header]
        places, missing = {}, Problems()
        for role, name in self.columns.items():
            names = header if name in header else trimmed
            if names.count(name) == 1:
                places[role] = names.index(name)
                continue
            if name in names:
                message = f"the header has the column {name!r} twice"
            elif role in self.optional:
                continue
            else:
                message = (
                    f"no column {shown(name)}; columns found: {listed(header)}"
                    f"{did_you_mean(name, header)}"
                )
            missing.add(message, file=self.path, line=line, field=f"data.columns.{role}")
        missing.raise_if_any()
        return places

    def checked(self, encoding: Encoding) -> Encoding:
        """Return the encoding; what it cannot read is a problem of the file, or a note."""
        if encoding.is_damaged:
            share = encoding.undecodable / encoding.size
            codec = encoding.codec.removesuffix("-sig")
            self.problems.add(
                f"{encoding.undecodable:,} bytes ({share:.1%}) are no text in the encoding"
                f" {codec}; at most {MAX_UNDECODABLE_SHARE:.0%} may be. State the encoding, or"
                " repair the file",
                file=self.path,
                field="data.encoding",
            )
        elif encoding.undecodable:
            self.note(f"{encoding.undecodable:,} undecodable bytes replaced by U+FFFD")
        return encoding
