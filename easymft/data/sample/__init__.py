"""The bundled sample: 480 short reviews written for this project, CC0 (see LICENSE)."""

import json
from importlib import resources

from easymft.data.corpus.intake import Intake
from easymft.data.corpus.schema import Corpus

NAME = "sample"
FILE = "reviews.jsonl"


def read_sample() -> Corpus:
    """Read the bundled sample: books, dvd, electronics, kitchen; 60 texts of each class."""
    content = resources.files(__name__).joinpath(FILE).read_text(encoding="utf-8")
    intake = Intake()
    for number, line in enumerate(content.splitlines(), 1):
        intake.add(json.loads(line), file=FILE, line=number)
    corpus = intake.finish(
        name=NAME, origin="the sample bundled with easymft (CC0)", is_sample=True
    )
    return corpus.with_notes(
        f"BUNDLED SAMPLE of {len(corpus)} short reviews: its numbers show that the program runs,"
        " not how well the method works"
    )
