"""Multi-Domain Sentiment Dataset 2.0 (Blitzer, Dredze, Pereira 2007): reviews of four kinds.

The files are pseudo-XML: latin-1, `&` unescaped, no root element in some, HTML entities inside
the text. The folder gives the domain, the file's name the class; the body is the input.
"""

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from easymft.data.corpus.intake import Intake, OnBadRow
from easymft.data.corpus.parts import UNLABELED
from easymft.data.corpus.schema import Corpus
from easymft.data.files.text_files import open_bytes
from easymft.errors import InputError, shown

NAME = "amazon_reviews"
URL = "https://www.cs.jhu.edu/~mdredze/datasets/sentiment/domain_sentiment_data.tar.gz"
ARCHIVE = "domain_sentiment_data.tar.gz"
DOMAINS = {
    "books": "books",
    "dvd": "dvd",
    "electronics": "electronics",
    "kitchen": "kitchen_&_housewares",
}
LABELS = ("negative", "positive")
FIELDS = ("unique_id", "rating", "title", "review_text")

_LAYOUTS = (
    "amazon_reviews/sorted_data_acl",
    "sorted_data_acl",
    ".",
    "domain_sentiment_data/sorted_data_acl",
)
# The largest file of the corpus, with unlabelled reviews, has 30 MB; a file is read whole.
MAX_FILE_BYTES = 200_000_000
_OPEN, _CLOSE = "<review>\n", "</review>"
_FRAME = re.compile(r"(?:</?data>|\s+)+")
# With the semicolon only: `?a=1&region=2` in a text is no registered-trade-mark sign.
# A code point has 7 digits at most; Python refuses to read a number of thousands of digits.
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w*);")


def find_folder(root: str | Path) -> Path | None:
    """Find the folder of the four domains at, or in a known place under, `root`."""
    for layout in _LAYOUTS:
        folder = Path(root) / layout
        if (folder / DOMAINS["books"] / "positive.review").is_file():
            return folder
    return None


def read_folder(folder: str | Path, on_bad_row: OnBadRow = "error") -> Corpus:
    """Read the 8,000 labelled reviews of `folder` (`books/positive.review`, ...).

    `unlabeled.review` files beside them, where there are any, are texts without labels.

    Args:
        folder: The folder.
        on_bad_row: See `easymft.data.corpus.intake.Intake`.

    Raises:
        InputError: A file cannot be read, or a block in it is malformed (names file and line).
    """
    intake, decoded = Intake(on_bad_row), 0
    for (domain, label), path in files(folder).items():
        for review in read_reviews(path):
            decoded += review["decoded"]
            row = {"text": review["text"], "label": label, "domain": domain}
            identifier = f"{domain}/{label}/{review['number']}"
            intake.add(row, id=identifier, file=str(path), line=review["line"])
    for domain, inside in DOMAINS.items():
        path = Path(folder) / inside / "unlabeled.review"
        for review in read_reviews(path) if path.is_file() else ():
            decoded += review["decoded"]
            identifier = f"{domain}/unlabeled/{review['number']}"
            place = {"file": str(path), "line": review["line"], "split": UNLABELED}
            intake.add({"text": review["text"], "domain": domain}, id=identifier, **place)
    corpus = intake.finish(name=NAME, origin=f"original files in {folder}")
    notes = [f"{_repeated(corpus)} repeated bodies within a domain"]
    if decoded:
        notes.append(f"HTML entities decoded in {decoded} texts")
    return corpus.with_notes(*notes)


def files(folder: str | Path) -> dict[tuple[str, str], Path]:
    """Return the eight files of the corpus by domain and class."""
    return {
        (domain, label): Path(folder) / inside / f"{label}.review"
        for domain, inside in DOMAINS.items()
        for label in LABELS
    }


def read_reviews(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the reviews of one file; see `parse_reviews`."""
    with open_bytes(path) as handle:
        content = handle.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise InputError(f"larger than {MAX_FILE_BYTES:,} bytes: not of this corpus", file=path)
    return parse_reviews(content.decode("latin-1").replace("\r\n", "\n"), str(path))


def parse_reviews(content: str, file: str) -> Iterator[dict[str, Any]]:
    """Yield the reviews of one `.review` file in order.

    Args:
        content: The file's text.
        file: Its path, for messages.

    Yields:
        `number` (from 0), `line` (1-based, of `<review>`), `text`, `title`, `rating` (float),
        and `decoded`: whether HTML entities in the text were replaced by their characters.

    Raises:
        InputError: The text between two reviews, or within one, is not as it should be.
    """
    position, line, number = 0, 1, 0
    while True:
        if frame := _FRAME.match(content, position):
            line += frame.group().count("\n")
            position = frame.end()
        if position == len(content):
            return
        end = content.find(_CLOSE, position)
        block = content[position : end + len(_CLOSE)]
        if end < 0 or not block.startswith(_OPEN) or _OPEN in block[len(_OPEN) :]:
            raise InputError(
                "no complete <review> ... </review> block starts here; fetch the file again",
                file=file,
                line=line,
            )
        fields = {name: _field(block, name) for name in FIELDS}
        missing = [f"<{name}>" for name, value in fields.items() if value is None]
        if missing:
            raise InputError(
                f"the review that starts here lacks {', '.join(missing)}", file=file, line=line
            )
        text = _decode(fields["review_text"])
        yield {
            "number": number,
            "line": line,
            "text": text,
            "title": _decode(fields["title"]),
            "rating": _rating(fields["rating"], file, line),
            "decoded": text != fields["review_text"],
        }
        line += block.count("\n")
        position, number = end + len(_CLOSE), number + 1


def _field(block: str, name: str) -> str | None:
    """Return what stands between `<name>` and `</name>`, each on a line of its own."""
    start = block.find(f"\n<{name}>\n")
    end = block.find(f"\n</{name}>\n", start + len(name) + 3)
    return block[start + len(name) + 4 : end].strip() if 0 <= start < end else None


def _decode(text: str) -> str:
    return _ENTITY.sub(lambda entity: html.unescape(entity.group()), text)


def _rating(text: str, file: str, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        message = f"the rating of the review that starts here is no number. Received: {shown(text)}"
        raise InputError(message, file=file, line=line) from None


def _repeated(corpus: Corpus) -> int:
    groups = corpus.table.group_by(["domain", "text"]).aggregate([([], "count_all")])
    return len(corpus) - pc.count(groups["count_all"]).as_py()
