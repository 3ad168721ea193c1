"""Bad corpora and splits, and settings that only the data show to be wrong."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.data.reading import write_pairs, write_reviews
from tests.hostile.base import GOOD, settings, spoiled
from tests.hostile.case import Case


def _splits(content: object) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / "splits.json").write_text(json.dumps(content))

    return spoiled(spoil, {"split": {"kind": "saved", "ids": "splits.json"}})


def amazon(old: str, new: str) -> Callable[[Path], None]:
    """Reviews, in one file of which something is replaced."""

    def spoil(folder: Path) -> None:
        path = write_reviews(folder / "reviews", per_file=6) / "books/positive.review"
        path.write_text(path.read_text().replace(old, new, 1))

    return spoiled(spoil, {"source": "amazon_reviews", "dir": "reviews", "files": None})


def _mnli(line: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        with open(write_pairs(folder / "pairs") / "multinli_1.0_train.jsonl", "a") as handle:
            handle.write(line + "\n")

    return spoiled(spoil, {"source": "multi_nli_genre", "dir": "pairs", "files": None})


_REFUSED = [
    (
        "saved splits of another corpus",
        _splits({"train": ["nobody"], "dev": [], "test": []}),
        ("splits.json: names 1 ids that the corpus does not have; give the splits of this corpus",),
    ),
    (
        "saved splits of another form",
        _splits({"train": [], "dev": [], "test": [], "extra": 5}),
        ("splits.json: must hold a list of ids under each of",),
    ),
    ("saved splits that are nested", _splits([[]]), ("splits.json: must hold a list of ids",)),
    (
        "an unknown domain left out",
        settings({"split": {"leave_out": "bokos"}}),
        ("`data.split.leave_out`: must be a domain of the corpus", "did you mean 'books'?"),
    ),
    (
        "an unknown source",
        settings({"source": "amazn_reviews"}),
        ("did you mean 'amazon_reviews'",),
    ),
    (
        "an unknown TFDS corpus",
        settings({"source": "tfds:no_such_corpus_at_all"}),
        ("`data.source`: TensorFlow Datasets knows no such data set. Received: 'no_such_c",),
    ),
    (
        "a folder of nobody's",
        settings({"source": "amazon_reviews", "dir": "~nobody-at-all/x", "files": None}),
        ("`data.source`: amazon_reviews was not found; set `data.dir` or $EASYMFT_DATA_DIR",),
    ),
    (
        "half a review",
        amazon("</review>", ""),
        ("positive.review:2: no complete <review> ... </review> block starts here; fetch the",),
    ),
    (
        "a rating that is none",
        amazon("5.0", "five"),
        ("positive.review:2: the rating of the review that starts here is no number. Received: '",),
    ),
    (
        "a pair with half a surrogate",
        _mnli(
            '{"gold_label": "neutral", "sentence1": "\\ud800", "sentence2": "a", "genre": "oup"}'
        ),
        ("multinli_1.0_train.jsonl:9: `sentence1`: holds half a surrogate pair",),
    ),
    (
        "pairs of brackets",
        _mnli("[" * 10**5),
        ("multinli_1.0_train.jsonl:9: must be a JSON object",),
    ),
    # What only the data show to be wrong in the settings
    (
        "longer texts than the encoder has positions",
        settings(backbone={"max_length": 64}),
        ("`backbone.max_length`: must be at most 16, the positions of this backbone. Received:",),
    ),
    (
        "weights for other classes",
        settings(method="mft", mft={"class_weights": [1, 2, 3]}),
        ("`mft.class_weights`:", "3"),
    ),
    (
        "corruption layers that are not there",
        settings(method="mft", mft={"corruption_layers": [0, 7]}),
        ("`mft.corruption_layers`:", "7"),
    ),
    (
        "a wrong domain where there is one only",
        spoiled(
            lambda f: (f / "texts.csv").write_text(GOOD.replace("films", "books")),
            method="mft",
            mft={"corruption": "other"},
        ),
        ("`mft.corruption`:", "other"),
    ),
]

CASES = [Case(f"data: {name}", build, says) for name, build, says in _REFUSED]
