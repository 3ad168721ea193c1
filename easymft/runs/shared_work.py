"""Runs of a sweep that would do the same do it once: an adapted encoder, a meta-learner."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from easymft import files
from easymft.config import METHODS, Config
from easymft.config.method import META_LEARNER
from easymft.runs.run import Run

# What says something of the adapted encoder.
_OF_ENCODER = ("seed", "precision", "data", "backbone", "adapt", "optimizer", "distribution")
# What says nothing of a run up to its meta-learner; and the stages up to there.
_AFTER_LEARNER = ("name", "description", "output_dir", "fine_tune", "keep_models", "export")
_UP_TO_LEARNER = ("validate", "adapt", "typicality", "meta_fine_tune")


class SharedWork:
    """Hands on to a run what others have done that it would do the same.

    A meta-learner, where runs differ in fine-tuning only, is handed on once its run is finished; an
    adapted encoder once it is there. Both stay as long as others need them.

    Args:
        configs: The recipes of all runs, in their order.
    """

    def __init__(self, configs: Sequence[Config]):
        self._keys = [(config, _learner_key(config), _encoder_key(config)) for config in configs]

    def begin(self, run: Run) -> None:
        """Give a run what there is for it, and say what others need of its own.

        Call it before the run is executed.
        """
        same_learner, same_encoder = self._others(run)
        givers = [one for one in same_learner if _is_finished(one) and _learner(one).exists()]
        adapted = [one for one in same_encoder if _has_adapted(one) and one.folder.adapted.exists()]
        alone = run.distribution.workers == 1
        if givers and alone and not run.folder.is_done("validate"):
            _hand_on(givers[0], run)
        run.adapted_by = adapted[0] if adapted and alone else None
        run.keeps_models = run.config.keep_models or not all(map(_is_finished, same_learner))
        run.keeps_adapted = not all(map(_has_adapted, same_encoder))

    def end(self, run: Run) -> None:
        """Drop what was kept for others alone, once nobody waits for it."""
        same_learner, same_encoder = self._others(run)
        is_waited_for = not all(map(_has_adapted, same_encoder))
        if all(map(_is_finished, same_learner)):
            for one in (run, *same_learner):
                if _is_finished(one) and not one.config.keep_models:
                    one.folder.drop_models(but_encoder=is_waited_for)
        for one in () if is_waited_for else (run, *same_encoder):
            adapted = one.folder.adapted
            only = [*adapted.parent.glob("*")] == [adapted]
            if _is_finished(one) and only and not one.config.keep_models:
                files.remove(adapted.parent)

    def _others(self, run: Run) -> tuple[list[Run], list[Run]]:
        """Return the other runs with the same meta-learner, and with the same adapted encoder."""
        own = _learner_key(run.config), _encoder_key(run.config)
        found: tuple[list[Run], list[Run]] = [], []
        for config, *keys in self._keys:
            for others, key, mine in zip(found, keys, own, strict=True):
                if mine is not None and key == mine:
                    others.append(Run(config))
        same_learner, same_encoder = (
            [one for one in others if one.folder.path != run.folder.path] for others in found
        )
        return same_learner, same_encoder


def _learner_key(config: Config) -> str | None:
    """Return what tells a run's meta-learner from others; `None` where it is not handed on."""
    method = METHODS[config.method]
    trains_two = method.trains_encoder and method.model is not None and method.fine_tunes
    # That of self-training is not what meta fine-tuning leaves.
    if not trains_two or method.self_trains:
        return None
    return json.dumps({k: v for k, v in config.to_dict().items() if k not in _AFTER_LEARNER})


def _encoder_key(config: Config) -> str | None:
    if not (config.adapt.epochs and METHODS[config.method].has_encoder):
        return None
    recipe = config.to_dict()
    return json.dumps([recipe[part] for part in _OF_ENCODER])


def _is_finished(run: Run) -> bool:
    return run.folder.is_done("report")


def _has_adapted(run: Run) -> bool:
    return run.folder.is_done("adapt")


def _learner(run: Run) -> Path:
    return run.folder.model(META_LEARNER)


def _hand_on(giver: Run, run: Run) -> None:
    """Give a run that has not begun what a finished one did before fine-tuning."""
    own, given = run.folder, giver.folder
    own.begin()
    for name in ("splits", "adapted", "typicality", "centroids"):
        _copy(getattr(given, name), getattr(own, name))
    _copy(_learner(giver), _learner(run))
    # Last, as a stage itself does: a marker says that all before it is there.
    for stage in _UP_TO_LEARNER:
        if given.is_done(stage):
            own.mark_done(stage, given.facts(stage))


def _copy(source: Path, target: Path) -> None:
    if source.exists():
        with files.staged(target) as path:
            shutil.copyfile(source, path)
