"""SIGTERM is taken note of wherever it comes, and whatever runs ends soon."""

import signal
import subprocess
import sys
import weakref

import pytest

from easymft import preemption
from easymft.preemption import Stopped
from easymft.progress import progress_bar
from tests.stopping import ask, listening  # noqa: F401 (a fixture)


def test_a_request_is_noted_and_raises_where_it_is_looked_for():
    preemption.check()
    ask()
    assert preemption.requested()
    with pytest.raises(SystemExit) as raised:
        preemption.check()
    assert raised.value.code == 75


def test_a_request_is_not_lost_where_exceptions_are(capsys):
    """What the callback of a weak reference or a `__del__` raises goes nowhere."""

    class Thing:
        pass

    thing = Thing()
    reference = weakref.ref(thing, lambda _: ask())
    del thing
    assert reference() is None
    assert capsys.readouterr().err == ""
    with pytest.raises(Stopped):
        preemption.check()


def test_a_block_may_choose_when_to_stop():
    with preemption.deferred():
        ask()
        with preemption.deferred():
            preemption.check()
        preemption.check()
        assert preemption.requested()
    with pytest.raises(Stopped):
        preemption.check()


def test_every_progress_bar_looks():
    with progress_bar("x", 2) as bar:
        bar.update()
        ask()
        with pytest.raises(Stopped):
            bar.update()


LONG = """
import signal, sys, time
from easymft import preemption
preemption.GRACE_SECONDS = 0.2
signal.signal(signal.SIGTERM, signal.SIG_DFL)
preemption.listen()
print("ready", flush=True)
{}
print("done", flush=True)
"""


def stopped(code):
    """The exit code, output and errors of a program that is asked to stop when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", LONG.format(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


def test_what_does_not_look_is_ended_after_a_while():
    code, output, errors = stopped("time.sleep(50)")
    assert (code, output) == (75, "")
    assert errors == "easymft: asked to stop; ended in the middle of something long\n"


@pytest.mark.long
def test_what_ends_itself_is_let():
    wait = "with preemption.deferred():\n    for _ in range(20): time.sleep(0.1)"
    code, output, _ = stopped(f"{wait}\nprint('saved', flush=True)\ntime.sleep(50)")
    assert (code, output) == (75, "saved\n")


@pytest.mark.long
def test_the_exit_code_of_a_slow_end_is_its_own():
    slow = "class Slow:\n    def __del__(self): time.sleep(1)\nslow, sys.modules['x'] = 0, Slow()"
    assert stopped(f"{slow}\nwhile True: time.sleep(0.01); preemption.check()")[0] == 75


def test_a_process_that_does_not_listen_is_left_alone():
    preemption._state.listening = False
    before = signal.getsignal(signal.SIGTERM)
    preemption.listen_again()
    assert signal.getsignal(signal.SIGTERM) is before
