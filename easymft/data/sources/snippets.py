"""Sentiment snippets of four domains with human ratings (Hutto and Gilbert 2014, MIT licence).

Each text carries the mean of 20 people's ratings from -4 to 4. The class is the sign of that
mean, and texts whose mean is nearer to zero than `THRESHOLD` are left out. A third, neutral class
would be a bad one: it holds 43 % of the editorials and 5 % of the film reviews, so the domain
alone would predict it, and with a standard error near 0.25 of such a mean its border is noise.
"""

import hashlib
import html
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

from easymft.data.corpus.intake import Intake, OnBadRow
from easymft.data.corpus.schema import Corpus
from easymft.fetch.archives import unpack

NAME = "snippets"
PACKAGE = "vaderSentiment"
ARCHIVE = "hutto_ICWSM_2014.tar.gz"
FOLDER = "hutto_ICWSM_2014"
FILES = {
    "amazon": "amazonReviewSnippets_GroundTruth.txt",
    "editorial": "nytEditorialSnippets_GroundTruth.txt",
    "movie": "movieReviewSnippets_GroundTruth.txt",
    "tweet": "tweets_GroundTruth.txt",
}
THRESHOLD = 0.5
# Four files of some thousand lines each.
MAX_BYTES = 50_000_000


def find_archive(root: str | Path) -> Path | None:
    """Find the archive at, or in a known place under, `root`."""
    for layout in (".", "additional_resources", "snippets"):
        path = Path(root) / layout / ARCHIVE
        if path.is_file():
            return path
    return None


def read_archive(path: str | Path, on_bad_row: OnBadRow = "error") -> Corpus:
    """Read the snippets of all four domains from the archive.

    Args:
        path: The archive.
        on_bad_row: See `easymft.data.corpus.intake.Intake`.

    Raises:
        InputError: The archive is damaged, lacks a file or holds a link in its place, or a line is
            not id, rating and text.
    """
    intake, neutral = Intake(on_bad_row), 0
    for domain, content in _read_members(Path(path)):
        file = f"{path}/{FILES[domain]}"
        for number, line in enumerate(content.split("\n"), 1):
            if not line.strip():
                continue
            try:
                identifier, rating_text, text = line.rstrip("\r").split("\t")
                rating = float(rating_text)
                text = html.unescape(text).strip()
                if not math.isfinite(rating):
                    raise ValueError
            except ValueError:
                message = "must be id, mean rating and text, separated by tabs"
                intake.refuse(message, file=file, line=number)
                continue
            if abs(rating) < THRESHOLD:
                neutral += 1
                continue
            label = "positive" if rating > 0 else "negative"
            row = {"text": text, "label": label, "domain": domain, "id": f"{domain}/{identifier}"}
            split = _split(domain, identifier)
            intake.add(row, split=split, file=file, line=number)
    corpus = intake.finish(name=NAME, origin=f"{PACKAGE} source distribution, {path}")
    return corpus.with_notes(
        f"{neutral:,} texts with a mean rating between -{THRESHOLD} and {THRESHOLD} left out"
    )


def _split(domain: str, identifier: str) -> str:
    """Return train, dev or test by document: `12_3` is the third snippet of document 12.

    Snippets of one document say much the same, so they must not stand on both sides. A hash of
    the document's name decides: about 80 % train, 10 % dev, 10 % test, alike for all seeds.
    """
    document = identifier.partition("_")[0]
    digest = hashlib.sha256(f"{domain}/{document}".encode()).digest()
    return ("test", "dev", *["train"] * 8)[digest[0] % 10]


def _read_members(path: Path) -> Iterator[tuple[str, str]]:
    members = {domain: f"{FOLDER}/{name}" for domain, name in FILES.items()}
    with tempfile.TemporaryDirectory(prefix="easymft-") as scratch:
        folder = unpack(
            path, Path(scratch, "files"), only=set(members.values()), max_bytes=MAX_BYTES
        )
        for domain, member in members.items():
            yield domain, (folder / member).read_bytes().decode("utf-8", "replace")
