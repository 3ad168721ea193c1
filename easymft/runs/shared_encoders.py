"""Runs of a sweep that would adapt the same encoder to the same texts do it once."""

import json
from collections.abc import Sequence

from easymft import files
from easymft.config import METHODS, Config
from easymft.runs.run import Run

# What says something of the adapted encoder.
_PARTS = ("seed", "precision", "data", "backbone", "adapt", "optimizer", "distribution")


class SharedEncoders:
    """Tells runs of others that have adapted the encoder they need.

    Args:
        configs: The recipes of all runs.
    """

    def __init__(self, configs: Sequence[Config]):
        self._groups: dict[str, list[Config]] = {}
        for config in configs:
            if config.adapt.epochs and METHODS[config.method].has_encoder:
                self._groups.setdefault(_key(config), []).append(config)

    def begin(self, run: Run) -> None:
        """Name a run whose encoder this one may take; and say whether others wait for its own.

        Call it before the run is executed.
        """
        others = [other for other in self._others(run) if _can_give(other)]
        run.adapted_by = others[0] if others and run.distribution.workers == 1 else None
        run.keeps_adapted = self._is_waited_for(run)

    def end(self, run: Run) -> None:
        """Drop encoders that were kept for others alone, once nobody waits for them."""
        if self._is_waited_for(run):
            return
        for one in (run, *self._others(run)):
            adapted, finished = one.folder.adapted, one.folder.is_done("report")
            only = [*adapted.parent.glob("*")] == [adapted]
            if finished and only and not one.config.keep_models:
                files.remove(adapted.parent)

    def _others(self, run: Run) -> list[Run]:
        runs = map(Run, self._groups.get(_key(run.config), []))
        return [other for other in runs if other.folder.path != run.folder.path]

    def _is_waited_for(self, run: Run) -> bool:
        return not all(other.folder.is_done("adapt") for other in self._others(run))


def _key(config: Config) -> str:
    recipe = config.to_dict()
    return json.dumps([recipe[part] for part in _PARTS])


def _can_give(donor: Run) -> bool:
    return donor.folder.is_done("adapt") and donor.folder.adapted.exists()
