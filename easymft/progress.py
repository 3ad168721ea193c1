"""Progress bars, and a way to go without."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from tqdm import tqdm

_shown = ContextVar("shown", default=True)


def progress_bar(name: str, total: int | None, done: int = 0, unit: str = "step") -> tqdm:
    """A line with rate and time left; nothing where standard error is no terminal."""
    disable = None if _shown.get() else True  # None: tqdm looks for a terminal
    return tqdm(desc=name, total=total, initial=done, unit=unit, disable=disable, leave=False)


@contextlib.contextmanager
def progress_bars(shown: bool) -> Iterator[None]:
    """Show the bars made in the block, or do not."""
    token = _shown.set(shown)
    try:
        yield
    finally:
        _shown.reset(token)
