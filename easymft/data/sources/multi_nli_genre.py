"""MultiNLI 1.0 (Williams, Nangia, Bowman 2018): sentence pairs, with the genre as the domain."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from easymft.data.corpus.corpus_builder import CorpusBuilder
from easymft.data.corpus.schema import Corpus
from easymft.data.files.columns import row_faults
from easymft.data.files.text_files import Lines, open_bytes
from easymft.errors import Problems, shown

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
    """The folder of the JSONL files at, or in a known place under, `root`."""
    for layout in _LAYOUTS:
        folder = Path(root) / layout
        if all((folder / FILES[split]).is_file() for split in ("train", "dev_matched")):
            return folder
    return None


def read_folder(folder: str | Path) -> Corpus:
    """Read train as "train" and dev_matched as "test", the paper's use of the two.

    The published test labels are secret and dev_mismatched has other genres, so neither is
    here; development pairs are cut from train by `easymft.data.corpus.splits`.

    Raises:
        InputError: A line is not a pair with a label and a genre (names file and line).
    """
    builder, problems, unlabelled = CorpusBuilder(), Problems(), 0
    for source, split in (("train", "train"), ("dev_matched", "test")):
        path = Path(folder) / FILES[source]
        rows, place = [], {"split": split, "file": str(path)}
        for pair in parse_pairs(path, problems):
            if pair["label"] == NO_GOLD_LABEL:
                unlabelled += 1
                continue
            rows.append({**pair, **place, "id": f"{source}/{pair['id']}"})
        builder.add_rows(rows)
    problems.raise_if_any()
    corpus = builder.finish(name=NAME, origin=f"original files in {folder}")
    if unlabelled:
        corpus = corpus.with_notes(f"{unlabelled} pairs without a gold label left out")
    return corpus


def parse_pairs(path: str | Path, problems: Problems) -> Iterator[dict[str, Any]]:
    """Yield the pairs of one JSONL file; lines that are none go to `problems`.

    Yields:
        `id` (the pairID, or the position from 0 where the file has none), `text`, `text_pair`,
        `label` (`-` where the annotators did not agree), `domain` (the genre) and `line`.
    """
    labels = {*LABELS, NO_GOLD_LABEL}

    def fault(message: str, number: int, field: str | None = None) -> None:
        problems.add(message, file=path, line=number, field=field)

    with open_bytes(Path(path)) as handle:
        for number, line in Lines(handle, Path(path)).numbered(fault):
            try:
                record = json.loads(line)
                values = [record[key] for key in _KEYS]
            except (ValueError, KeyError, TypeError, RecursionError):
                values = []
            if not values or not all(isinstance(value, str) for value in values):
                fault(f"must be a JSON object with the texts {', '.join(_KEYS)}", number)
                continue
            label, text, text_pair, genre = values
            if label not in labels:
                message = f"must be one of {LABELS} or '-'. Received: {shown(label)}"
                fault(message, number, "gold_label")
                continue
            pair = {
                "id": str(record.get("pairID", number - 1)),
                "text": text.strip(),
                "text_pair": text_pair.strip(),
                "label": label,
                "domain": genre,
            }
            faults = row_faults(pair)
            for role, message in faults:
                fault(message, number, _KEY_OF.get(role, role))
            if not faults:
                yield {**pair, "line": number}
