"""A run that also tells which share of its time was training and encoder passes.

    python -m tests.benchmarks.share --config app_zoo/amazon.json

takes the flags of `python -m easymft.run`. What counts are Keras' `fit`, `evaluate` and `predict`,
tracing their graphs included; the whole is from the first line here, before TensorFlow is imported,
to the end of the program's work.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from unittest import mock

from easymft import run
from easymft.devices import start_up


class Share:
    """Seconds since it was made, and those of them within the calls that `counted` wraps."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock, self._start, self.inside, self._depth = clock, clock(), 0.0, 0

    def counted(self, function: Callable) -> Callable:
        """The same function; its time is counted, once where one calls another."""

        @functools.wraps(function)
        def timed(*args, **kwargs):
            start = self._clock()
            self._depth += 1
            try:
                return function(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.inside += self._clock() - start

        return timed

    def __str__(self) -> str:
        whole = self._clock() - self._start
        share = self.inside / whole
        return f"{share:.1%} of {whole:.0f} s: training and encoder passes, {self.inside:.0f} s"


@contextlib.contextmanager
def of_keras(share: Share) -> Iterator[None]:
    """Within it, Keras' loops are counted."""
    start_up.start()
    import keras

    with contextlib.ExitStack() as stack:
        for name in ("fit", "evaluate", "predict"):
            counted = share.counted(getattr(keras.Model, name))
            stack.enter_context(mock.patch.object(keras.Model, name, counted))
        yield


if __name__ == "__main__":
    whole = Share()
    try:
        with of_keras(whole):
            run.cli()
    finally:
        print(whole)
