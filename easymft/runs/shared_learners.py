"""Runs of a sweep that differ in fine-tuning only share what comes before: one meta-learner."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from easymft import files
from easymft.config import METHODS, Config
from easymft.config.method import META_LEARNER
from easymft.runs.run import Run

# What says nothing of a run up to its meta-learner.
_LATER = {"name", "description", "output_dir", "fine_tune", "keep_models", "export"}
_STAGES = ("validate", "adapt", "typicality", "meta_fine_tune")


class SharedLearners:
    """Hands the meta-learner of a finished run on to others that would train the same.

    Args:
        configs: The recipes of all runs, in their order.
    """

    def __init__(self, configs: Sequence[Config]):
        self._groups: dict[str, list[Config]] = {}
        for config in configs:
            method = METHODS[config.method]
            if method.self_trains:
                continue  # Its meta-learner is not what meta fine-tuning leaves.
            if method.trains_encoder and method.model is not None and method.fine_tunes:
                self._groups.setdefault(_key(config), []).append(config)

    def begin(self, run: Run) -> None:
        """Give a run that has not begun what a finished one of its group did before fine-tuning.

        Call it before the run is executed; its models then stay as long as others need them.
        """
        group = self._groups.get(_key(run.config), [])
        donors = [donor for donor in map(Run, group) if _can_give(donor)]
        if donors and run.distribution.workers == 1 and not run.folder.is_done("validate"):
            _hand_on(donors[0], run)
        run.keeps_models = run.config.keep_models or _is_waited_for(group, run)

    def end(self, run: Run) -> None:
        """Drop the models of a group's runs once the last of them is finished."""
        group = self._groups.get(_key(run.config), [])
        if not _is_waited_for(group, run):
            for config in group:
                if not config.keep_models:
                    Run(config).folder.drop_models()


def _key(config: Config) -> str:
    return json.dumps({k: v for k, v in config.to_dict().items() if k not in _LATER})


def _is_waited_for(group: Sequence[Config], run: Run) -> bool:
    others = (Run(config).folder for config in group)
    return any(o.path != run.folder.path and not o.is_done("report") for o in others)


def _can_give(donor: Run) -> bool:
    return donor.folder.is_done("report") and donor.folder.model(META_LEARNER).exists()


def _hand_on(donor: Run, run: Run) -> None:
    own, given = run.folder, donor.folder
    own.begin()
    for name in ("splits", "adapted", "typicality"):
        _copy(getattr(given, name), getattr(own, name))
    _copy(given.model(META_LEARNER), own.model(META_LEARNER))
    # Last, as a stage itself does: a marker says that all before it is there.
    for stage in _STAGES:
        if given.is_done(stage):
            own.mark_done(stage, given.facts(stage))


def _copy(source: Path, target: Path) -> None:
    if source.exists():
        with files.staged(target) as path:
            shutil.copyfile(source, path)
