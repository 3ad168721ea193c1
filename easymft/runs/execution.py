"""Executes a run: its stages in order, and how it goes on after an interruption."""

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

from easymft import files, preemption
from easymft.errors import InputError
from easymft.runs.lock import check_shared, locked
from easymft.runs.log import log_to
from easymft.runs.stages import stage
from easymft.runs.summary import summary
from easymft.runs.untrained_run import UntrainedRun

logger = logging.getLogger(__name__)

# Stages that nothing is built on: doing one again leaves what comes after it as it is.
_LEAVES = ("validate", "report", "export")
# Stages that later ones can do without.
_OPTIONAL = ("diagnose", "report")
# Stages that train or predict, spread over all devices; and those that the chief does alone.
_SPREAD = (
    *("adapt", "typicality", "meta_fine_tune", "self_train"),
    *("fine_tune", "cross_fit", "evaluate", "diagnose"),
)
_ALONE = ("report", "export")


def execute(run: UntrainedRun, only: str | None = None, restart: bool = False) -> dict[str, Any]:
    """Run all unfinished stages, or the stage named `only` once more; return the summary.

    Every stage writes its results and then a marker into the run folder; a stage with a marker is
    skipped, so the same command goes on where it was interrupted and ends with the same numbers.
    A stage done once more takes with it the results of the later stages, which were made from what
    it made before: the next whole run makes them anew. In a distributed run all workers do this in
    step, and what all but the chief write is dropped.

    Args:
        run: The run; a `Run`, but for `validate` alone.
        only: A stage.
        restart: Move what an earlier run left aside, and begin anew.

    Raises:
        InputError: The data cannot be used, the folder is another run's or in use, or `only`
            needs a stage that has not run yet.
        WorkerError: Other workers of a distributed run are gone.
        Stopped: The program was asked to stop; the same command goes on.
    """
    if only is not None and only not in run.stages():
        raise InputError(
            f"method `{run.method.name}` has no stage `{only}`; it has {', '.join(run.stages())}",
            field="--mode",
        )
    log = files.place(run.folder.path / "run.log")
    with run.distribution.watched(), at_work(run, restart), log_to(log):
        if only is None:
            _run_all(run)
        else:
            _run_again(run, only)
        return summary(run)


@contextlib.contextmanager
def at_work(run: UntrainedRun, restart: bool = False) -> Iterator[None]:
    """Lock the folder as the chief; as another worker, write to a folder of one's own."""
    distribution, folder = run.distribution, run.folder
    if not distribution.is_chief:
        check_shared(folder.path, distribution.all_reduce_sum(0))
        with distribution.only_chief_writes(folder.path):
            yield
        return
    folder.check_writable()
    with locked(folder.path) as token:
        if restart and (old := folder.move_aside()):
            logger.info("The earlier run is now %s.", old)
        folder.open()
        distribution.all_reduce_sum(token)
        yield


def _run_all(run: UntrainedRun) -> None:
    for name in run.stages():
        if not run.folder.is_done(name) and (name != "export" or run.config.export.at_end):
            # A finished run that is asked for more, such as `diagnose`, reports that too.
            if name not in _LEAVES and run.folder.is_done("report"):
                _forget(run, ["evaluate", "report"] if name == "cross_fit" else ["report"])
            run_stage(run, name)
    if not run.keeps_models:
        run.folder.drop_models(but_encoder=run.keeps_adapted)


def _run_again(run: UntrainedRun, only: str) -> None:
    stages = run.stages()
    earlier, later = stages[: stages.index(only)], stages[stages.index(only) :]
    for name in earlier:
        if not run.folder.is_done(name) and name not in _OPTIONAL:
            raise InputError(
                f"stage `{only}` needs `{name}` first; run `--mode {name}`, or all stages",
                field="--mode",
            )
    if run.folder.is_done(only) and only not in _LEAVES:
        _forget(run, later)
    run_stage(run, only)


def _forget(run: UntrainedRun, stages: list[str]) -> None:
    """Mark stages as not done, once every worker has seen that they were."""
    run.distribution.barrier()
    run.folder.forget(stages)
    run.distribution.barrier()


def run_stage(run: UntrainedRun, name: str) -> None:
    """Run one stage, whose predecessors are done, and leave its marker."""
    if run.distribution.any_worker(preemption.requested()):
        raise preemption.Stopped
    logger.info("Stage %s ...", name)
    computes = name != "validate"
    if computes:
        _settle_draws(run)
    start = time.monotonic()
    facts = _facts(run, name)
    if computes and run.distribution.is_chief:
        run.folder.note_machine()
    seconds = round(time.monotonic() - start, 1)
    run.mark_done(name, {"seconds": seconds, **facts})
    logger.info("Stage %s: done in %.0f s.", name, seconds)


def _settle_draws(run: UntrainedRun) -> None:
    """Let what a stage draws depend on the stage alone, not on what ran before it."""
    import keras

    keras.utils.set_random_seed(run.config.seed)


def _facts(run: UntrainedRun, name: str) -> dict[str, Any]:
    if name in _ALONE and not run.distribution.is_chief:
        return {}
    with run.distribution.scope() if name in _SPREAD else contextlib.nullcontext():
        return stage(name)(run)
