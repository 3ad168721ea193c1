"""The engine that is always there: this process."""

from collections.abc import Iterator, Sequence

from easymft.engines.parts import Part
from easymft.engines.tasks import Task


def done_here(task: Task, parts: Sequence[Part], jobs: int) -> Iterator[tuple[Part, int]]:
    """Do part after part in this process; see `easymft.engines.score.ENGINES`."""
    del jobs
    work = task.open()
    for part in parts:
        yield part, work(part)
