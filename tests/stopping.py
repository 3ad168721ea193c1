"""Being asked to stop, in tests."""

import os
import signal

import pytest

from easymft import preemption


@pytest.fixture(autouse=True)
def listening():
    """SIGTERM is listened to in the test, and forgotten after it."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)]
    preemption.listen()
    yield
    forget()
    for number, handler in zip((signal.SIGTERM, signal.SIGALRM), before, strict=True):
        signal.signal(number, handler)
    preemption._state.listening = False


def ask():
    """Ask this process to stop."""
    os.kill(os.getpid(), signal.SIGTERM)


def forget():
    """Let the process be as if it had not been asked."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    preemption._state.asked = False
