"""Bad encoders: a folder whose files are damaged, lie, or do not belong together."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from tests.hostile.base import settings, spoiled
from tests.hostile.case import RECIPE, Case
from tests.models.hugging_face import VOCABULARY


def _config(text: str | None = None, **changes: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "bert/config.json"
        values = {**json.loads(path.read_text()), **changes}
        path.write_text(json.dumps(values) if text is None else text)

    return spoiled(spoil)


def _file(name: str, content: bytes) -> Callable[[Path], None]:
    return spoiled(lambda folder: (folder / "bert" / name).write_bytes(content))


def _without(name: str) -> Callable[[Path], None]:
    return spoiled(lambda folder: (folder / "bert" / name).unlink())


def _tensors(change: Callable[[dict[str, np.ndarray]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "bert/model.safetensors"
        tensors = safetensors.numpy.load(path.read_bytes())
        change(tensors)
        safetensors.numpy.save_file(tensors, path)

    return spoiled(spoil)


def _cut(folder: Path) -> None:
    path = folder / "bert/model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _nan(tensors: dict[str, np.ndarray]) -> None:
    tensors["pooler.dense.weight"][0, 0] = np.nan


def _other_shape(tensors: dict[str, np.ndarray]) -> None:
    name = "embeddings.word_embeddings.weight"
    tensors[name] = tensors[name][:-2].copy()


_PIECES = "\n".join([*VOCABULARY, "more", "pieces"]).encode()
_APART = "files do not belong together"
_DAMAGED = "incomplete, damaged or do not belong together"

# The tokenizer is loaded with the data, the weights when they are first needed.
_AT_ONCE = [
    (
        "no such folder",
        settings(backbone={"preset": "nowhere"}),
        ("must be a folder, a keras",),
    ),
    (
        "a name of 5,000 letters",
        settings(backbone={"preset": "a" * 5000}),
        ("`backbone.preset`: must be a folder, a keras-hub preset name",),
    ),
    (
        "a misspelt preset",
        settings(backbone={"preset": "bert_bas_en_uncased"}),
        ("`backbone.preset`: must be a folder", "near bert_base_en_uncased", "Without a network"),
    ),
    (
        "an unknown package",
        settings(backbone={"preset": "package:no-such-thing/model"}),
        ("package 'no-such-thing' is not installed and not one that easymft fetches",),
    ),
    (
        "a package path out of the package",
        settings(backbone={"preset": "package:numpy/../../etc"}),
        ("a package path must be NAME/inner/path. Received: 'numpy/../../etc'",),
    ),
    (
        "folder without config",
        _without("config.json"),
        ("bert: `backbone.preset`: the folder",),
    ),
    ("config that is no JSON", _config("{"), ("bert/config.json: is not valid JSON",)),
    ("config of 100,000 brackets", _config("[" * 10**5), ("config.json: is not valid JSON",)),
    ("config that is a list", _config("[]"), ("bert/config.json: must hold a JSON object",)),
    (
        "another architecture",
        _config(model_type="gpt2"),
        ("`backbone.preset`: the encoder must be one of BertBackbone", "Received: gpt2"),
    ),
    (
        "a list as architecture",
        _config(model_type=[]),
        ("the encoder must be one of BertBackbo",),
    ),
    ("sizes of letters", _config(vocab_size="many"), ("bert' cannot be loaded", _DAMAGED)),
    (
        "no vocabulary",
        _without("vocab.txt"),
        (
            "`backbone.preset`: preset ",
            "bert' cannot be loaded",
        ),
    ),
    ("an empty vocabulary", _file("vocab.txt", b""), ("bert' cannot be loaded", _DAMAGED)),
    ("a vocabulary of bytes", _file("vocab.txt", bytes(range(256))), (_DAMAGED,)),
    (
        "a vocabulary of another model",
        _file("vocab.txt", _PIECES),
        ("`backbone.preset`: the tokenizer has 12 word pieces but the weights only 10", _APART),
    ),
]
_LATER = [
    ("truncated safetensors", spoiled(_cut), ("bert' cannot be loaded", _DAMAGED)),
    ("safetensors of text", _file("model.safetensors", b"no tensors" * 200), (_DAMAGED,)),
    (
        "no weights",
        _without("model.safetensors"),
        (
            "`backbone.preset`: preset ",
            "bert' cannot be loaded",
        ),
    ),
    (
        "fewer weights than word pieces",
        _tensors(_other_shape),
        ("bert' cannot be loaded", _DAMAGED),
    ),
    (
        "sizes that would take 16 GB",
        _config(vocab_size=10**9),
        ("bert: `backbone.preset`: the config.json asks for 4,000,000,", "numbers or more", _APART),
    ),
    (
        "a million layers",
        _config(num_hidden_layers=10**6),
        ("bert: `backbone.preset`: the config.json asks for", _APART),
    ),
    (
        "NaN in the weights",
        _tensors(_nan),
        ("holds numbers that are not finite", "are damaged"),
    ),
]

CASES = [
    *(Case(f"weights: {name}", build, says) for name, build, says in _AT_ONCE),
    *(
        Case(f"weights: {name}", build, says, (*RECIPE, "--dry_run"))
        for name, build, says in _LATER
    ),
]
