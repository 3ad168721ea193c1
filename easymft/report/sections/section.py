"""What a part of `report.html` is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

MOST_PANELS = 30  # of one kind, one for each domain


@dataclass(frozen=True)
class Panel:
    """A picture with its caption.

    Args:
        title: What it shows; may be a name that a user gave.
        svg: The picture.
        note: A smaller addition to the title.
    """

    title: str
    svg: Markup
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page; one with neither `panels` nor `part` is left out.

    Args:
        id: Anchor.
        title: Heading.
        how: How to read it.
        panels: Its pictures.
        notes: Further sentences.
        part: Name of the template of what follows the pictures.
        tables: What the template `table` shows: captions, and rows of cells.
    """

    id: str
    title: str
    how: str
    panels: Sequence[Panel] = ()
    notes: Sequence[str] = ()
    part: str = ""
    tables: Sequence[Any] = ()


def pictured_note(domains: int) -> list[str]:
    """Say so where not every domain gets a picture."""
    if domains <= MOST_PANELS:
        return []
    return [f"The first {MOST_PANELS} of {domains} domains are pictured."]
