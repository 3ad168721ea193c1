"""Texts that are a file each, in folders `domain/label/`."""

from collections.abc import Iterator
from typing import Any

from easymft.data.corpus.rows import MAX_CELL_CHARACTERS
from easymft.data.files.encoding import find_encoding
from easymft.data.files.row_source import RowSource
from easymft.data.files.text_files import open_bytes


def read_text(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the one text of a `domain/label/name.txt`, under the line 1."""
    encoding = source.checked(find_encoding(source.path, source.encoding))
    source.note(encoding.note)
    with open_bytes(source.path) as handle:
        # Four bytes a character at most; one more shows that the text is too long.
        text = handle.read(4 * MAX_CELL_CHARACTERS + 4).decode(encoding.codec, errors="replace")
    label = source.path.parent
    yield 1, {"text": text, "label": label.name, "domain": label.parent.name}
