"""A run: its stages in order, and how it goes on after an interruption."""

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

import keras

from easymft import files
from easymft.config import Config
from easymft.errors import InputError
from easymft.runs.lock import check_shared, locked
from easymft.runs.log import log_to
from easymft.runs.stages import STAGES, Run
from easymft.runs.summary import summary

logger = logging.getLogger(__name__)

# Stages that nothing is built on: doing one again leaves what comes after it as it is.
_LEAVES = ("validate", "report", "export")
# Stages that later ones can do without.
_OPTIONAL = ("diagnose", "report")
# Stages that train or predict, spread over all devices; and those that the chief does alone.
_SPREAD = ("typicality", "meta_fine_tune", "fine_tune", "evaluate", "diagnose")
_ALONE = ("report", "export")


class Experiment:
    """One run of one recipe.

    Every stage writes its results and then a marker into the run folder; a stage with a marker is
    skipped, so the same command goes on where it was interrupted and ends with the same numbers.
    In a distributed run all workers do this in step, and what all but the chief write is dropped.

    Args:
        config: The complete recipe.
    """

    def __init__(self, config: Config):
        self.config = config
        self.state = Run(config)
        self.folder = self.state.folder
        self.data = self.state.data

    def run(self, only: str | None = None, restart: bool = False) -> dict[str, Any]:
        """Run all unfinished stages, or the stage named `only` once more; return the summary.

        A stage done once more takes with it the results of the later stages, which were made
        from what it made before: the next whole run makes them anew.

        Args:
            only: A stage.
            restart: Move what an earlier run left aside, and begin anew.

        Raises:
            InputError: The data cannot be used, the folder is another run's or in use, or `only`
                needs a stage that has not run yet.
            WorkerError: Other workers of a distributed run are gone.
            Stopped: The program was asked to stop; the same command goes on.
        """
        stages = self.state.stages()
        if only is not None and only not in stages:
            raise InputError(
                f"method `{self.config.method}` has no stage `{only}`; it has {', '.join(stages)}",
                field="--mode",
            )
        with (
            self.state.distribution.watched(),
            self._at_work(restart),
            log_to(files.place(self.folder.path / "run.log")),
        ):
            if only is None:
                self._run_all(stages)
            else:
                self._run_again(only, stages)
            return summary(self.state)

    @contextlib.contextmanager
    def _at_work(self, restart: bool) -> Iterator[None]:
        """The chief locks the folder; what other workers write goes to one of their own."""
        distribution, folder = self.state.distribution, self.folder
        if not distribution.is_chief:
            check_shared(folder.path, distribution.sum(0))
            with distribution.only_chief_writes(folder.path):
                yield
            return
        folder.check_writable()
        with locked(folder.path) as token:
            if restart and (old := folder.move_aside()):
                logger.info("The earlier run is now %s.", old)
            folder.open()
            distribution.sum(token)
            yield

    def _run_all(self, stages: list[str]) -> None:
        for name in stages:
            if not self.folder.is_done(name) and (name != "export" or self.config.export):
                # A finished run that is asked for more, such as `diagnose`, reports that too.
                if name not in _LEAVES and self.folder.is_done("report"):
                    self._forget(["report"])
                self._run_stage(name)
        if not self.config.keep_models:
            self.folder.drop_models()

    def _run_again(self, only: str, stages: list[str]) -> None:
        earlier, later = stages[: stages.index(only)], stages[stages.index(only) :]
        for name in earlier:
            if not self.folder.is_done(name) and name not in _OPTIONAL:
                raise InputError(
                    f"stage `{only}` needs `{name}` first; run `--mode {name}`, or all stages",
                    field="--mode",
                )
        if self.folder.is_done(only) and only not in _LEAVES:
            self._forget(later)
        self._run_stage(only)

    def _forget(self, stages: list[str]) -> None:
        """Mark stages as not done, once every worker has seen that they were."""
        self.state.distribution.wait()
        self.folder.forget(stages)
        self.state.distribution.wait()

    def _run_stage(self, name: str) -> None:
        logger.info("Stage %s ...", name)
        # What a stage draws depends on the stage alone, not on what ran before it.
        keras.utils.set_random_seed(self.config.seed)
        start = time.monotonic()
        facts = self._facts(name)
        seconds = round(time.monotonic() - start, 1)
        self.state.mark_done(name, {"seconds": seconds, **facts})
        logger.info("Stage %s: done in %.0f s.", name, seconds)

    def _facts(self, name: str) -> dict[str, Any]:
        distribution = self.state.distribution
        if name in _ALONE and not distribution.is_chief:
            return {}
        with distribution.scope() if name in _SPREAD else contextlib.nullcontext():
            return STAGES[name](self.state)
