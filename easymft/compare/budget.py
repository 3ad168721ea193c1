"""The minutes that a user gives."""

import time
from collections.abc import Callable


class Budget:
    """Time to spend, counted from when this is made.

    Args:
        minutes: How many.
        clock: Gives seconds; for tests.
    """

    def __init__(self, minutes: float, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._end = clock() + 60 * minutes

    @property
    def left(self) -> float:
        """Seconds left; below 0 where more was spent."""
        return self._end - self._clock()

    def allows(self, seconds: float) -> bool:
        """Return whether `seconds` more fit."""
        return seconds <= self.left
