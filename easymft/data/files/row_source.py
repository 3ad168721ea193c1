"""One file of the user's and what its reader needs to know."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from easymft.data.files.text_files import MAX_UNDECODABLE_SHARE, Encoding
from easymft.errors import Problems, did_you_mean, listed, shown


@dataclass(frozen=True)
class RowSource:
    """A file to read rows from.

    Args:
        path: The file (or folder).
        columns: Column name by role (text, label, ...), for the roles that are to be read.
        encoding: Encoding, or "auto".
        delimiter: Delimiter, or "auto".
        problems: Takes problems of the whole file.
        fault: Called with message and line for a row that cannot be used.
        note: Called with facts to show the user.
    """

    path: Path
    columns: dict[str, str]
    encoding: str
    delimiter: str
    problems: Problems
    fault: Callable[[str, int | None], None]
    note: Callable[[str], None]

    def find_columns(self, header: Sequence[str], line: int = 1) -> dict[str, int]:
        """Position in `header`, which stands on `line`, of every column to be read.

        Raises:
            InputError: A column is missing, or its name stands in the header twice.
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
            else:
                message = (
                    f"no column {shown(name)}; columns found: {listed(header)}"
                    f"{did_you_mean(name, header)}"
                )
            missing.add(message, file=self.path, line=line, field=f"data.columns.{role}")
        missing.raise_if_any()
        return places

    def checked(self, encoding: Encoding) -> Encoding:
        """The encoding; a file that it cannot read counts as a problem, a blemish as a note."""
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
