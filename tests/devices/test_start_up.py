"""TensorFlow starts with oneDNN, in silence, computing nothing; a failure shows what was said."""

import json
import os
import resource
import subprocess
import sys

import pytest

from easymft.devices.start_up import _standard_error_kept, start
from easymft.errors import InputError


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


def test_a_refusal_is_all_that_is_shown(capfd):
    def refuse():
        with _standard_error_kept():
            os.write(2, b"chatter\n")
            raise InputError("no")

    with pytest.raises(InputError):
        refuse()
    assert capfd.readouterr().err == ""


@pytest.mark.long
@pytest.mark.parametrize("wanted", [None, "0"])
def test_it_computes_nothing_in_silence_with_onednn_unless_told_not_to(wanted, monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if wanted is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", wanted)
    code = (
        "import os, easymft.devices.start_up as s; s.start();"
        "import tensorflow as t;"
        # An error once an op has started the runtime: no strategy of several workers could be made.
        "t.config.threading.set_inter_op_parallelism_threads(1);"
        "s.compute_first_op();"
        "t.transpose(t.ones((2, 2), t.int64));"
        "print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{wanted or '1'}\n", "")


def started(folder, settings="", **environment):
    """What a process that has started says of Keras, with `settings` as keras.json in `folder`."""
    (folder / "keras.json").write_text(settings)
    code = (
        "import logging; logging.basicConfig(format='%(message)s');"
        "from easymft.devices import start_up; start_up.start();"
        "import keras, tensorflow as tf; c = keras.config;"
        "print(c.backend(), c.floatx(), c.epsilon(), c.image_data_format(),"
        "      c.max_epochs(), c.max_steps_per_epoch(), tf.keras.__version__ == keras.__version__)"
    )
    unset = {"KERAS_BACKEND": "", "KERAS_HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **unset, **environment},
        capture_output=True,
        text=True,
    )
    return done.stdout.split(), done.stderr.splitlines()


ALIKE = ["tensorflow", "float32", "1e-07", "channels_last", "None", "None", "True"]


@pytest.mark.long
def test_what_other_programs_that_use_keras_set_changes_nothing(tmp_path):
    theirs = {"floatx": "float16", "epsilon": 0.1, "backend": "jax"}
    output, errors = started(
        tmp_path,
        json.dumps({**theirs, "image_data_format": "channels_first"}),
        TF_USE_LEGACY_KERAS="1",
        KERAS_MAX_EPOCHS="1",
        KERAS_MAX_STEPS_PER_EPOCH="many",
    )
    assert output == ALIKE
    assert [line.split()[0] for line in errors] == [
        "TF_USE_LEGACY_KERAS",
        "KERAS_MAX_EPOCHS",
        "KERAS_MAX_STEPS_PER_EPOCH",
    ]


@pytest.mark.parametrize(
    "settings",
    [
        '{"floatx": "float8"}',
        "[]",
        pytest.param('{"epsilon": null}', marks=pytest.mark.slow),
        pytest.param('{"image_data_format": 1}', marks=pytest.mark.slow),
    ],
)
def test_a_keras_json_that_keras_refuses_is_named(tmp_path, settings):
    output, errors = started(tmp_path, settings)
    assert output == []
    assert errors[-1].startswith(
        f"easymft.errors.InputError: {tmp_path / 'keras.json'}: Keras does not start with it ("
    )


@pytest.mark.parametrize("backend", ["torch", "foo", "TensorFlow"])
def test_a_backend_that_does_not_fit_is_named(backend, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(InputError, match=r"^`KERAS_BACKEND`: must be tensorflow or jax, or unset"):
        start()


def test_a_backend_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr("easymft.devices.start_up._is_installed", lambda name: name != "jax")
    with pytest.raises(InputError, match=r"^`KERAS_BACKEND`: jax is not installed"):
        start()


@pytest.mark.parametrize("megabytes", [300, 2000])
def test_too_small_a_limit_of_addresses_is_named(megabytes):
    """Under the first TensorFlow does not load; under the second it loads and spins for ever."""
    code = "from easymft.devices import start_up; start_up.start()"
    limit = megabytes << 20
    done = subprocess.run(
        [sys.executable, "-c", code],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    last = done.stderr.splitlines()[-1]
    assert f"`ulimit -v`: allows {megabytes:,} MB of address space" in last
