"""What is exported here loads and answers the same under earlier releases of TensorFlow."""

import json
import subprocess
import sys
import venv

import numpy as np
import pytest

from tests.export.conftest import HOSTILE, expected

pytestmark = pytest.mark.slow

TEXTS = ["good", "the CAFÉ is bad!", "", "goods 😀 cafe\u0301"]
DOMAINS = ["books", "dvd & co", "", "no such domain"]
# Loads tensorflow-text's ops without its Python, which a server does not have either.
PROGRAM = """
import importlib.util, json, pathlib, sys
import tensorflow as tf
(text,) = importlib.util.find_spec("tensorflow_text").submodule_search_locations
for name in ("normalize_ops", "regex_split_ops", "fast_wordpiece_tokenizer"):
    tf.load_op_library(str(pathlib.Path(text, "python", "ops", f"_{name}.so")))
texts, domains, hostile = json.load(sys.stdin)
predict = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
answer = predict(text=tf.constant(texts), domain=tf.constant(domains))
hostile = tf.constant([bytes.fromhex(text) for text in hostile])
predict(text=hostile, domain=tf.fill([len(hostile)], ""))
json.dump([tf.__version__, answer["probabilities"].numpy().tolist()], sys.stdout)
"""


@pytest.mark.parametrize("release", ["2.15", "2.18", "2.20"])
def test_answers_the_same(tmp_path, release, export_folder, models, preprocessor):
    venv.create(tmp_path / "venv", symlinks=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    for packages in (
        [f"tensorflow-cpu=={release}.*"],
        # By itself: its metadata asks for the larger build with CUDA.
        ["--no-deps", f"tensorflow-text=={release}.*"],
    ):
        # Our own pip, and without compiling what is not imported: half of the time.
        command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
        command += ["--no-compile", "--only-binary=:all:", *packages]
        installed = subprocess.run(command, capture_output=True, text=True, check=False)
        if installed.returncode:
            pytest.skip(f"cannot install {packages[-1]} for Python {sys.version_info[:2]}")
    done = subprocess.run(
        [python, "-c", PROGRAM, str(export_folder / "combined" / "1")],
        input=json.dumps([TEXTS, DOMAINS, [text.hex() for text in HOSTILE]]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    version, answer = json.loads(done.stdout)
    assert version.startswith(release)
    names = ["books", "dvd & co", "meta-learner", "meta-learner"]
    for row, name in enumerate(names):
        probabilities = expected(models[name], preprocessor, [TEXTS[row]])[0]
        np.testing.assert_allclose(answer[row], probabilities, atol=1e-5)
