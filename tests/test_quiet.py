"""TensorFlow's chatter is kept back, but never what was said before a failure."""

import os
import subprocess
import sys

import pytest

from easymft.quiet import _standard_error_kept


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


def test_importing_says_nothing():
    code = "import easymft.quiet as q; q.import_tensorflow(); import tensorflow as t; t.ones(1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
