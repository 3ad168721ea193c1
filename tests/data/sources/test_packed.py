"""A packed corpus is the corpus; a run from it needs no TensorFlow and gives the same numbers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.schema import Corpus
from easymft.data.sources.packed import read_corpus, read_tokens, write_packed
from easymft.errors import InputError
from tests.small_run import write_recipe

ROOT = Path(__file__).parents[3]
# Stands before a program: nothing that is only there with TensorFlow can be imported.
BLOCK = """
import sys
for name in ("tensorflow", "tensorflow_text", "tensorflow_datasets"):
    sys.modules[name] = None
"""


@pytest.fixture
def packed(tmp_path):
    columns = {
        "id": pa.array(["a", "b"]),
        "text": pa.array(["one", "two é"]),
        "label": pa.array([0, 1], pa.int32()),
        "domain": pa.array([1, 0], pa.int32()),
    }
    corpus = Corpus(pa.table(columns), ("n", "p"), ("x", "y"), "c", "o", notes=("seen",))
    tokens = TokenizedTexts(
        token_ids=np.array([1, 2, 3, 4, 5], np.int32),
        offsets=np.array([0, 2, 5]),
        second_start=np.array([2, 3], np.int32),
        labels=np.array([0, 1], np.int32),
        domains=np.array([1, 0], np.int32),
        max_length=8,
    )
    write_packed(tmp_path / "packed", corpus, tokens)
    return tmp_path / "packed", corpus, tokens


def test_what_was_packed_is_read(packed):
    folder, corpus, tokens = packed
    assert read_corpus(folder) == corpus
    read = read_tokens(folder, 8, 2)
    np.testing.assert_array_equal(read.token_ids, tokens.token_ids)
    np.testing.assert_array_equal(read.lengths, [2, 3])


def test_what_does_not_fit_is_refused(packed, tmp_path):
    folder, corpus, tokens = packed
    with pytest.raises(InputError, match="there already"):
        write_packed(folder, corpus, tokens)
    with pytest.raises(InputError, match=r"`backbone\.max_length`: was packed with 8 word pieces"):
        read_tokens(folder, 16, 2)
    with pytest.raises(InputError, match="tokens of 2 texts for 1"):
        read_tokens(folder, 8, 1)
    with pytest.raises(InputError, match="`--mode pack` wrote"):
        read_corpus(tmp_path)
    (folder / "tokens/offsets.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match="tokens cannot be read"):
        read_tokens(folder, 8, 2)


@pytest.mark.slow
def test_a_packed_run_needs_no_tensorflow(tmp_path):
    # One model with parts for each domain, since JAX compiles every model anew.
    recipe = write_recipe(tmp_path, fine_tune={"epochs": 1, "parts": "head"})
    environment = {**os.environ, "EASYMFT_CACHE_DIR": str(tmp_path / "cache")}

    def run(*arguments, code="", **variables):
        code += "from easymft.run import cli; cli()"
        command = [sys.executable, "-c", code, "--config", str(recipe), *arguments]
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**environment, **variables},
            check=True,
            capture_output=True,
            text=True,
        )

    folder = tmp_path / "packed"
    run("--mode", "pack", "--output", str(folder))
    settings = ["--set", "data.source=packed", "--set", f"data.dir={folder}"]
    settings += ["--set", "data.files=null", "--set", "name=packed"]
    run(*settings, code=BLOCK, KERAS_BACKEND="jax")
    metrics = json.loads((tmp_path / "runs/packed/mft/seed-1/metrics.json").read_text())
    assert set(metrics) == {"meta_learner", "fine_tuned"}
