from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_text as tf_text

from easymft.errors import InputError
from easymft.export.op_check import check_ops, used_ops


def save(folder: Path, function) -> Path:
    module = tf.Module()
    module.run = tf.function(function, input_signature=[tf.TensorSpec([None], tf.string, "text")])
    tf.saved_model.save(module, folder, signatures={"serving_default": module.run})
    return folder


def test_accepts_exports(export_folder):
    check_ops(export_folder / "combined" / "1")


def test_finds_ops_in_functions_but_not_those_that_restore_weights(export_folder):
    ops = used_ops(export_folder / "combined" / "1")
    assert {"FastWordpieceTokenizeWithOffsets", "MatMul", "ParseExampleV2", "If"} <= ops.keys()
    assert not ops.keys() & {"RestoreV2", "SaveV2", "MergeV2Checkpoints"}


def test_refuses_python_in_a_branch(tmp_path):
    def run(text):
        def python():
            return tf.py_function(lambda x: x, [text], tf.string)

        return {"y": tf.cond(tf.size(text) > 1, python, lambda: text)}

    with pytest.raises(InputError, match=r"EagerPyFunc .* calls Python"):
        check_ops(save(tmp_path / "m", run))


def test_refuses_files(tmp_path):
    with pytest.raises(InputError, match=r"ReadFile .* does not travel with the model"):
        check_ops(save(tmp_path / "m", lambda text: {"y": tf.io.read_file(text[0])}))


def test_refuses_what_older_servers_lack(tmp_path):
    def run(text):
        (words,) = tf_text.RoundRobinTrimmer(3).trim([tf.strings.split(text)])
        return {"y": words.to_tensor()}

    folder = save(tmp_path / "m", run)
    for release in ("2.15.1", "2.19.1"):
        with pytest.raises(InputError, match=f"TFText>RoundRobinTrim .* Serving {release}"):
            check_ops(folder, release)
    check_ops(folder, "2.20.0")
    check_ops(folder, "2.21.3")


def test_knows_no_servers_before_2_15_1(export_folder):
    with pytest.raises(ValueError, match=r"`serving` must be at least 2\.15\.1"):
        check_ops(export_folder / "combined" / "1", "2.14.0")
