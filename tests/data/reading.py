"""Small files and settings that the tests of the reading side share."""

import io
import json
import tarfile
from pathlib import Path

from easymft.config import Columns, DataConfig

REVIEW = """<review>
<unique_id>
{number}:title
</unique_id>
<asin>
B000
</asin>
<rating>
{rating}
</rating>
<title>
Title {number}
</title>
<review_text>
{text}
</review_text>
</review>
"""
REVIEW_FOLDERS = ("books", "dvd", "electronics", "kitchen_&_housewares")


def write_reviews(folder: Path, per_file: int = 2) -> Path:
    """The original layout with `per_file` reviews in each of the eight files."""
    for inside in REVIEW_FOLDERS:
        for label, rating in (("positive", 5.0), ("negative", 1.0)):
            path = folder / inside / f"{label}.review"
            path.parent.mkdir(parents=True, exist_ok=True)
            blocks = [
                REVIEW.format(number=n, rating=rating, text=f"{label} {inside} text {n}")
                for n in range(per_file)
            ]
            path.write_text("<data>\n" + "".join(blocks) + "</data>\n", encoding="latin-1")
    return folder


def write_pairs(folder: Path) -> Path:
    """A train and a dev_matched file with one pair each per genre and label, and one `-`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train", "dev_matched"):
        lines = []
        for genre in ("fiction", "travel"):
            for label in ("entailment", "neutral", "contradiction", "-"):
                lines.append(
                    json.dumps(
                        {
                            "gold_label": label,
                            "sentence1": f"{name} {genre} one.",
                            "sentence2": f"{label} two. ",
                            "genre": genre,
                            "pairID": f"{genre}{label}",
                        }
                    )
                )
        (folder / f"multinli_1.0_{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def write_snippets(path: Path, **lines: str) -> Path:
    """The archive with the given content for some domains, and two texts for the others."""
    files = {
        "amazon": "amazonReviewSnippets_GroundTruth.txt",
        "editorial": "nytEditorialSnippets_GroundTruth.txt",
        "movie": "movieReviewSnippets_GroundTruth.txt",
        "tweet": "tweets_GroundTruth.txt",
    }
    with tarfile.open(path, "w:gz") as archive:
        for domain, name in files.items():
            content = lines.get(domain, "1\t2.5\tgood\r\n2\t-2.5\tbad\r\n").encode()
            member = tarfile.TarInfo(f"hutto_ICWSM_2014/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def own(files: dict[str, str | Path], columns: dict[str, str] | None = None, **rest) -> DataConfig:
    """A data section for the user's own files."""
    return DataConfig(
        source="files",
        files={key: str(path) for key, path in files.items()},
        columns=Columns(**(columns or {})),
        **rest,
    )
