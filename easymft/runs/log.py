"""Everything a run says, in its folder too."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Append what easymft logs to `path` while the block runs.

    Lines wait until the folder is there, so that a run refused for its data leaves nothing behind.
    """
    handler = _LateFileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    package = logging.getLogger("easymft")
    level = package.level
    package.setLevel(min(package.getEffectiveLevel(), logging.INFO))
    package.addHandler(handler)
    try:
        yield
    finally:
        package.removeHandler(handler)
        package.setLevel(level)
        handler.close()


class _LateFileHandler(logging.FileHandler):
    def __init__(self, path: Path):
        super().__init__(path, encoding="utf-8", delay=True)
        self._waiting: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._waiting.append(record)
        if os.path.isdir(os.path.dirname(self.baseFilename)):
            for waiting in self._waiting:
                super().emit(waiting)
            self._waiting.clear()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        raise
