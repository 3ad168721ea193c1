"""Texts and tables as Markdown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from easymft.report.words import one_line

# Characters that Markdown or embedded HTML would act on; a user's text must only ever be shown.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~&])")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


@dataclass(frozen=True)
class Table:
    """A caption, and rows of plain cells of which the first is the header."""

    caption: str
    rows: Sequence[Sequence[str]]


def escape(text: str, limit: int | None = 300) -> str:
    """Return a user's text on one line, cut to `limit` characters, inert in Markdown and HTML."""
    return _SPECIAL.sub(
        lambda match: _ENTITIES.get(match.group(), "\\" + match.group()), one_line(text, limit)
    )


def table(rows: Sequence[Sequence[str]], aligned: str | None = None) -> str:
    """Return a table of a header row and others, whose cells are Markdown already.

    Args:
        rows: The cells.
        aligned: A character a column: `:` to the right, `-` to the left; by default all columns
            but the first hold numbers.
    """
    aligned = aligned or "-" + ":" * (len(rows[0]) - 1)
    rule = ["---:" if side == ":" else "---" for side in aligned]
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:]))


def plain_table(rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain texts, which are escaped."""
    return table([[escape(cell, limit=None) for cell in row] for row in rows])
