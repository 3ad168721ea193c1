"""A program without Python answers as Keras does, if it has tensorflow-text's ops."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text
from tensorflow.core.protobuf import saved_model_pb2

from easymft.export.saved_model import write_saved_model
from easymft.layers.vector_math import unit
from easymft.models.answer_rules import AnswerRules
from easymft.models.familiarity import LENGTHS, QUANTILES, Familiarity, word_embeddings
from tests.export.conftest import DOMAINS, LABELS, expected

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
TEXTS = ["good", "the CAFÉ is bad!", "", "goods 😀 cafe\u0301"]
LIBRARIES = ("_normalize_ops.so", "_regex_split_ops.so", "_fast_wordpiece_tokenizer.so")
LIBRARY_FILES = [
    Path(tensorflow_text.__file__).parent / "python" / "ops" / name for name in LIBRARIES
]

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler (cc, gcc or clang) on the path"),
    pytest.mark.skipif(os.name != "posix", reason="the compiler's flags are those of Unix"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("c") / "load_saved_model"
    library = tf.sysconfig.get_lib()
    command = [
        COMPILER,
        "-std=c11",
        "-Wall",
        "-Werror",
        f"-I{tf.sysconfig.get_include()}",
        str(Path(__file__).with_name("load_saved_model.c")),
        f"-L{library}",
        "-l:libtensorflow_cc.so.2",
        "-l:libtensorflow_framework.so.2",
        f"-Wl,-rpath,{library}",
        "-o",
        str(path),
    ]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return path


def run(program, folder, libraries, output="probabilities"):
    model = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    signature = model.meta_graphs[0].signature_def["serving_default"]
    input_name = signature.inputs["text"].name.split(":")[0]
    output_name, index = signature.outputs[output].name.split(":")
    command = [program, folder, input_name, output_name, index, len(libraries), *libraries, *TEXTS]
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )


@pytest.mark.long
def test_answers_as_keras_does(program, export_folder, models, preprocessor):
    done = run(program, export_folder / "books" / "1", LIBRARY_FILES)
    assert done.returncode == 0, done.stderr
    answer = [line.split() for line in done.stdout.splitlines()]
    probabilities = expected(models["books"], preprocessor, TEXTS)
    np.testing.assert_allclose(np.array(answer, "float32"), probabilities, atol=1e-4)


@pytest.mark.long
def test_rules_and_strangers_need_no_other_ops(program, tmp_path, models, preprocessor):
    model, random = models["books"], np.random.default_rng(0)
    width = model.backbone.hidden_dim
    known = Familiarity(
        DOMAINS,
        unit(random.normal(size=(3, 1, width))).astype("float32"),
        np.zeros((3, LENGTHS, QUANTILES), "float32"),
    )
    rules = AnswerRules(DOMAINS, np.full(4, 2, "float32"), np.full(4, 0.6, "float32"))
    write_saved_model(
        *(tmp_path / "model", model, preprocessor, LABELS, DOMAINS),
        home="books",
        rules=rules,
        familiarity=known,
    )
    found = {}
    for name in ("probabilities", "abstain", "familiarity", "nearest_domain"):
        done = run(program, tmp_path / "model", LIBRARY_FILES, name)
        assert done.returncode == 0, done.stderr
        found[name] = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    roots = np.sqrt(expected(model, preprocessor, TEXTS))
    probabilities = roots / roots.sum(axis=1, keepdims=True)
    read = np.array(found["probabilities"], "float32")
    np.testing.assert_allclose(read, probabilities, atol=1e-4)
    abstain = [[str(int(score < 0.6))] for score in read.max(axis=1)]
    assert found["abstain"] == abstain
    tokens = preprocessor(x=TEXTS)
    words = word_embeddings(model.backbone)(tokens["token_ids"])
    familiarity, nearest = known(words, tokens, np.zeros(len(TEXTS), int))
    np.testing.assert_allclose(np.array(found["familiarity"], float)[:, 0], familiarity, atol=1e-4)
    names = [DOMAINS[code] for code in nearest]
    assert [" ".join(row) for row in found["nearest_domain"]] == names


@pytest.mark.long
def test_fails_without_the_ops(program, export_folder):
    done = run(program, export_folder / "books" / "1", [])
    assert done.returncode == 1
    assert "Op type not registered" in done.stderr
