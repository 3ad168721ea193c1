"""Ray's workers as an engine: actors on this machine, or on a cluster."""

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from easymft.engines.parts import Part
from easymft.engines.tasks import Task, Work
from easymft.errors import InputError

# Where Ray finds a cluster; without it there is one on this machine, as long as this program.
_CLUSTER = "RAY_ADDRESS"
_RESTARTS = 20  # of a worker, before it is the machine that cannot do it
_STORE_BYTES = 100 << 20  # Ray's own memory for objects: files go from worker to disk


def done_by_ray(task: Task, parts: Sequence[Part], jobs: int) -> Iterator[tuple[Part, int]]:
    """Let workers do the parts; see `easymft.engines.score.ENGINES`.

    A worker that dies is started again, and the part it was at begins anew: its file had no name
    yet.

    Raises:
        InputError: Ray is not installed, or cannot be reached; or what the task raises.
        OSError: Workers die again and again.
    """
    try:
        import ray
        from ray.util import ActorPool
    except ModuleNotFoundError:
        message = "needs Ray; pip install 'easymft[ray]', or choose local"
        raise InputError(message, field="--engine") from None
    _connect(ray, jobs)
    try:
        # A killed worker's part is done again; a fault of the data ends all.
        kind = ray.remote(num_cpus=1, max_restarts=_RESTARTS, max_task_retries=_RESTARTS)(_Worker)
        pool = ActorPool([kind.remote(task) for _ in range(min(jobs, len(parts)))])
        yield from pool.map_unordered(lambda worker, part: worker.done.remote(part), parts)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayActorError as error:
        reason = str(error).split("\n")[0]
        raise OSError(f"a worker ended {_RESTARTS} times ({reason})") from None
    finally:
        ray.shutdown()


def _connect(ray: Any, jobs: int) -> None:
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if os.environ.get(_CLUSTER):
            ray.init(**quiet)
            return
        threads = max(1, len(os.sched_getaffinity(0)) // jobs)
        # What workers inherit: they share the cores, and tell nobody that they run.
        with _environment(TF_NUM_INTRAOP_THREADS=str(threads), RAY_USAGE_STATS_ENABLED="0"):
            own = {"num_cpus": jobs, "include_dashboard": False}
            ray.init(**quiet, **own, object_store_memory=_STORE_BYTES)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"Ray cannot be reached ({reason})", field=_CLUSTER) from None


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set variables that the user has not set, while the block runs."""
    new = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


class _Worker:
    def __init__(self, task: Task):
        self._task = task
        self._work: Work | None = None

    def done(self, part: Part) -> tuple[Part, int]:
        if self._work is None:  # here, since what a constructor raises comes in other words
            self._work = self._task.open()
        return part, self._work(part)
