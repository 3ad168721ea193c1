"""Progress bars, and a way to go without."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from tqdm import tqdm

from easymft import preemption

_shown = ContextVar("shown", default=True)


class _Bar(tqdm):
    """A bar that is the place to stop at: see `preemption.check`."""

    def update(self, n: float = 1) -> bool | None:
        """Move on, or raise `Stopped`."""
        preemption.check()
        return super().update(n)


def progress_bar(name: str, total: int | None, done: int = 0, unit: str = "step") -> tqdm:
    """Return a line with rate and time left; nothing where standard error is no terminal."""
    disable = None if _shown.get() else True  # None: tqdm looks for a terminal
    return _Bar(desc=name, total=total, initial=done, unit=unit, disable=disable, leave=False)


@contextlib.contextmanager
def progress_bars(shown: bool) -> Iterator[None]:
    """Show the bars made in the block, or do not."""
    token = _shown.set(shown)
    try:
        yield
    finally:
        _shown.reset(token)
