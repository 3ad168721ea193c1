"""TensorFlow starts with oneDNN, in silence, computing nothing; a failure shows what was said."""

import os
import subprocess
import sys

import pytest

from easymft.devices.start_up import _standard_error_kept


def test_silence_and_its_end(capfd):
    with _standard_error_kept():
        os.write(2, b"chatter\n")
    os.write(2, b"word\n")
    assert capfd.readouterr().err == "word\n"


def test_a_failure_lets_everything_out(capfd):
    def fail():
        with _standard_error_kept():
            os.write(2, b"the reason\n")
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert capfd.readouterr().err == "the reason\n"


@pytest.mark.parametrize("wanted", [None, "0"])
def test_importing_computes_nothing_in_silence_with_onednn_unless_told_not_to(wanted, monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if wanted is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", wanted)
    code = (
        "import os, easymft.devices.start_up as s; s.import_tensorflow();"
        "import tensorflow as t;"
        # An error once an op has started the runtime: no strategy of several workers could be made.
        "t.config.threading.set_inter_op_parallelism_threads(1);"
        "s.compute_first_op();"
        "t.transpose(t.ones((2, 2), t.int64));"
        "print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{wanted or '1'}\n", "")
