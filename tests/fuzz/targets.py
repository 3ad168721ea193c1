"""What is fuzzed: functions of bytes that may raise nothing but `InputError`.

Each is also a test of its own: `tests/fuzz/test_targets.py` runs the seeds and what was found.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from easymft.config import Columns
from easymft.config.loading import load_config
from easymft.data.sources.amazon_reviews import parse_reviews
from easymft.data.sources.own_files import read_files
from easymft.errors import InputError

_SCRATCH = tempfile.TemporaryDirectory(prefix="easymft-fuzz-")
_ALL_COLUMNS = Columns(text_pair="pair", id="id", split="split", weight="weight")


def reviews(content: bytes) -> None:
    """The parser of `.review` files."""
    try:
        for review in parse_reviews(content.decode("latin-1"), "fuzz.review"):
            assert review["line"] >= 1
            review["text"].encode()
    except InputError as error:
        _check(error)


def tables(content: bytes) -> None:
    """CSV, TSV and JSONL; the first byte chooses among the settings, the rest is the file."""
    choice, content = content[0] if content else 0, content[1:]
    path = _write("texts.csv", content)
    data = SimpleNamespace(
        dir=None,
        files={"all": str(path)},
        format=("csv", "tsv", "jsonl", "easytransfer")[choice & 3],
        on_bad_row=("error", "skip")[choice >> 2 & 1],
        columns=(Columns(), _ALL_COLUMNS)[choice >> 3 & 1],
        encoding=("auto", "utf-8", "utf-16", "latin-1")[choice >> 4 & 3],
        delimiter=("auto", ";")[choice >> 6 & 1],
    )
    try:
        corpus = read_files(data)
    except InputError as error:
        _check(error)
    else:
        assert len(corpus)


def recipes(content: bytes) -> None:
    """The recipe loader; what is loaded must load again from its complete form."""
    path = _write("recipe.json", content)
    try:
        config = load_config(path)
    except InputError as error:
        _check(error)
    else:
        assert type(config).model_validate(config.to_dict()) == config


def _write(name: str, content: bytes) -> Path:
    path = Path(_SCRATCH.name, name)
    path.write_bytes(content)
    return path


def _check(error: InputError) -> None:
    """A message is short, and one line (a line each, where several problems are listed)."""
    first, *others = str(error).split("\n")
    assert all(len(line) < 4_000 for line in (first, *others)), str(error)
    assert not others or "problems in the data:" in first, str(error)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (reviews, tables, recipes)
}
