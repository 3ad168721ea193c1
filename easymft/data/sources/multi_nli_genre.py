"""MultiNLI 1.0 (Williams, Nangia, Bowman 2018): sentence pairs, with the genre as the domain."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from easymft.data.corpus.intake import Intake, OnBadRow
from easymft.data.corpus.schema import Corpus
from easymft.data.files.text_files import Lines, open_bytes
from easymft.errors import shown

NAME = "multi_nli_genre"
URL = "https://cims.nyu.edu/~sbowman/multinli/multinli_1.0.zip"
ARCHIVE = "multinli_1.0.zip"
LABELS = ("contradiction", "entailment", "neutral")
TRAINING_GENRES = ("fiction", "government", "slate", "telephone", "travel")
OTHER_GENRES = ("facetoface", "letters", "nineeleven", "oup", "verbatim")
FILES = {
    "train": "multinli_1.0_train.jsonl",
    "dev_matched": "multinli_1.0_dev_matched.jsonl",
    "dev_mismatched": "multinli_1.0_dev_mismatched.jsonl",
}
NO_GOLD_LABEL = "-"

_LAYOUTS = ("multi_nli/multinli_1.0", "multinli_1.0", ".")
_KEYS = ("gold_label", "sentence1", "sentence2", "genre")
_KEY_OF = {"text": "sentence1", "text_pair": "sentence2", "domain": "genre", "id": "pairID"}


def find_folder(root: str | Path) -> Path | None:
    """Find the folder of the JSONL files at, or in a known place under, `root`."""
    for layout in _LAYOUTS:
        folder = Path(root) / layout
        if all((folder / FILES[split]).is_file() for split in ("train", "dev_matched")):
            return folder
    return None


def read_folder(folder: str | Path, on_bad_row: OnBadRow = "error") -> Corpus:
    """Read train as "train" and dev_matched as "test", the paper's use of the two.

    The published test labels are secret and dev_mismatched has other genres, so neither is
    here; development pairs are cut from train by `easymft.data.corpus.splits`.

    Args:
        folder: The folder.
        on_bad_row: See `easymft.data.corpus.intake.Intake`.

    Raises:
        InputError: A line is not a pair with a label and a genre (names file and line).
    """
    intake, unlabelled = Intake(on_bad_row, fields=_KEY_OF), 0
    for source, split in (("train", "train"), ("dev_matched", "test")):
        path = Path(folder) / FILES[source]
        for pair in parse_pairs(path, intake.refuse):
            if pair["label"] == NO_GOLD_LABEL:
                unlabelled += 1
                continue
            place = {"file": str(path), "line": pair.pop("line")}
            pair["id"] = f"{source}/{pair['id']}"
            intake.add(pair, split=split, **place)
    corpus = intake.finish(name=NAME, origin=f"original files in {folder}")
    if unlabelled:
        corpus = corpus.with_notes(f"{unlabelled} pairs without a gold label left out")
    return corpus


def parse_pairs(path: str | Path, refuse: Callable[..., None]) -> Iterator[dict[str, Any]]:
    """Yield the pairs of one JSONL file.

    Args:
        path: The file.
        refuse: Called for a line that is no pair, with the arguments of `Problems.add`.

    Yields:
        `id` (the pairID, or the position from 0 where the file has none), `text`, `text_pair`,
        `label` (`-` where the annotators did not agree), `domain` (the genre) and `line`.
    """
    labels = {*LABELS, NO_GOLD_LABEL}
    with open_bytes(Path(path)) as handle:
        lines = Lines(handle, Path(path))
        for number, line in lines.numbered(lambda fault, at: refuse(fault, file=path, line=at)):
            try:
                record = json.loads(line)
                values = [record[key] for key in _KEYS]
            except (ValueError, KeyError, TypeError, RecursionError):
                values = []
            if not values or not all(isinstance(value, str) for value in values):
                message = f"must be a JSON object with the texts {', '.join(_KEYS)}"
                refuse(message, file=path, line=number)
                continue
            label, text, text_pair, genre = values
            if label not in labels:
                message = f"must be one of {LABELS} or '-'. Received: {shown(label)}"
                refuse(message, file=path, line=number, field="gold_label")
                continue
            yield {
                "id": str(record.get("pairID", number - 1)),
                "text": text.strip(),
                "text_pair": text_pair.strip(),
                "label": label,
                "domain": genre,
                "line": number,
            }
