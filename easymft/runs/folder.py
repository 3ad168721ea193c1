"""The folder of one run: what lies where, which stages are done, whose run it is."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from easymft import files, preemption
from easymft.config import METHODS, Config
from easymft.config.earlier_names import with_present_names
from easymft.config.method import DOMAIN_PARTS
from easymft.errors import InputError
from easymft.runs.lock import SHARED_SECONDS

PACKAGES = ("easymft", "tensorflow", "keras", "keras-hub", "tensorflow-text", "numpy")
# Settings that change nothing that is trained.
_INERT = {
    "answers",
    "audit",
    "output_dir",
    "description",
    "case_study",
    "export",
    "diagnose",
    "keep_models",
    "distribution",
}


class RunFolder:
    """`output_dir/<recipe>/<method>/seed-<n>/`.

    Everything in it is written under another name and then renamed, so whatever stands there is
    whole.

    Args:
        config: The complete recipe of the run.
    """

    def __init__(self, config: Config):
        self.config = config
        self.path = Path(config.output_dir) / config.name / config.method / f"seed-{config.seed}"
        self.splits = self.path / "splits.json"
        self.typicality = self.path / "typicality.parquet"
        self.centroids = self.path / "centroids.npz"
        self.pseudo_labels = self.path / "pseudo_labels.parquet"
        self.predictions = self.path / "predictions.parquet"
        self.metrics = self.path / "metrics.json"
        self.answers = self.path / "answers.json"
        self.reference = self.path / "reference.parquet"
        self.familiarity = self.path / "familiarity.npz"
        self.diagnostics = self.path / "diagnostics.json"
        self.embeddings = self.path / "embeddings.parquet"
        self.logs = self.path / "logs"
        self.export = self.path / "export"

    def check_writable(self) -> None:
        """Raise `InputError` if the folder can neither be made nor written."""
        if obstacle := files.obstacle(self.path):
            message = f"cannot be written ({obstacle}); choose another `output_dir`"
            raise InputError(message, file=self.path)

    def open(self) -> None:
        """Make sure that this run can go on here; remove what killed writes left behind.

        Raises:
            InputError: The folder holds a run with other settings.
        """
        self.check_settings()
        if os.path.exists(self.path):
            for leftover in self.path.rglob(f"{files.TEMPORARY}*"):
                files.remove(leftover)

    def check_settings(self) -> None:
        """Raise `InputError` if the folder holds a run with other settings."""
        path = self.path / "config.json"
        # Not `Path.exists`, which raises an error of its own where a name is too long.
        if os.path.exists(path):
            saved = with_later_settings(files.read_json(path))
            difference = first_difference(saved, self.config.to_dict())
            if difference:
                raise InputError(
                    f"this folder holds a run with other settings ({difference}); take another "
                    "`--set name=...`, or `--restart` to move it aside",
                    file=self.path,
                )

    def begin(self) -> None:
        """Write down whose run this is: the first files of a run whose data are in order.

        Until `note_machine` adds it, the machine is missing: whoever looks for its devices has to
        start TensorFlow.

        Raises:
            InputError: The folder cannot be made or written.
        """
        earlier = self.versions() if os.path.exists(self._versions) else {}
        try:
            files.write_json(self.path / "config.json", self.config.to_dict())
            files.write_json(self._versions, _versions(earlier.get("machine")))
        except OSError as error:
            raise InputError(
                f"cannot be written ({error.strerror}); choose another `output_dir`",
                file=self.path,
            ) from None

    def note_machine(self) -> None:
        """Write down what computes, unless an earlier stage has."""
        versions = self.versions()
        if "machine" not in versions:
            from easymft.devices.machine import describe_machine

            first = {"python": versions.pop("python"), "machine": describe_machine()}
            files.write_json(self._versions, {**first, **versions})

    def move_aside(self) -> Path | None:
        """Rename the folder to the first free `<name>.old-<n>`; `None` if there is none."""
        if not os.path.exists(self.path):
            return None
        number = 1
        while (target := self.path.with_name(f"{self.path.name}.old-{number}")).exists():
            number += 1
        os.rename(self.path, target)
        return target

    def is_done(self, stage: str) -> bool:
        """Return whether the stage has left its marker."""
        return os.path.exists(self._marker(stage))

    def facts(self, stage: str) -> dict[str, Any]:
        """Return what a finished stage left in its marker."""
        return files.read_json(self._marker(stage))

    def mark_done(self, stage: str, facts: dict[str, Any]) -> None:
        """Write a stage's marker, last of all that the stage writes."""
        files.write_json(self._marker(stage), facts)

    def await_done(self, stage: str) -> None:
        """Wait for the marker that another host wrote, which network file systems show late.

        Raises:
            InputError: It does not appear.
        """
        last = time.monotonic() + SHARED_SECONDS
        while not self.is_done(stage):
            if time.monotonic() > last:
                raise InputError("has not appeared on this host", file=self._marker(stage))
            preemption.check()
            time.sleep(0.5)

    def forget(self, stages: Sequence[str]) -> None:
        """Mark stages as not done, with their parts and any state of unfinished training."""
        for stage in reversed(stages):
            for marker in (self._marker(stage), *self._marker(stage).parent.glob(f"{stage}-*")):
                files.remove(marker)
        for checkpoint in self.checkpoint("*").parent.glob(self.checkpoint("*").name):
            files.remove(checkpoint)

    def drop_models(self, but_encoder: bool = False) -> None:
        """Remove the trained models; predictions, metrics and reports stay.

        Args:
            but_encoder: Whether the adapted encoder, if there is one, stays too.
        """
        folder = self.model("any").parent
        if not (but_encoder and self.adapted.exists()):
            files.remove(folder)
            return
        for path in folder.iterdir():
            if path != self.adapted:
                files.remove(path)

    def model(self, name: str) -> Path:
        """Return a trained model."""
        suffix = "keras" if METHODS[self.config.method].has_encoder else "npz"
        return self.path / "checkpoints" / f"{name}.{suffix}"

    def cross_fitted(self, fold: int) -> Path:
        """Return the answers to a fold of the training texts, by models that did not see it."""
        return self.path / f"cross_fitted-{fold}.parquet"

    @property
    def domain_parts(self) -> Path:
        """Small parts of all domains beside the meta-learner."""
        return self.path / "checkpoints" / f"{DOMAIN_PARTS}.npz"

    @property
    def adapted(self) -> Path:
        """Weights of the encoder, adapted to the texts."""
        return self.path / "checkpoints" / "adapted.weights.h5"

    def checkpoint(self, name: str) -> Path:
        """State of a model in training."""
        return self.path / "checkpoints" / f"{name}.partial"

    def versions(self) -> dict[str, str]:
        """Return the versions that the run began with."""
        return files.read_json(self._versions)

    @property
    def _versions(self) -> Path:
        return self.path / "versions.json"

    def _marker(self, stage: str) -> Path:
        return self.path / "stages" / f"{stage}.json"


def with_later_settings(saved: Any) -> Any:
    """Return a saved recipe as this version would have written it: names and later defaults."""
    saved = with_present_names(saved)
    try:
        return Config.model_validate(saved).to_dict()
    except ValidationError:  # It has settings that are gone; the comparison names the first.
        return saved


def first_difference(old: Any, new: Any, path: str = "") -> str | None:
    """Describe the first setting in which two complete recipes differ; `None` if they agree."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*new, *(key for key in old if key not in new)):
            inner = f"{path}.{key}" if path else key
            if inner not in _INERT and (
                difference := first_difference(old.get(key), new.get(key), inner)
            ):
                return difference
        return None
    return None if old == new else f"`{path}` was {old!r}, now {new!r}"


def _versions(machine: str | None) -> dict[str, str]:
    versions = {"python": platform.python_version()}
    if machine is not None:
        versions["machine"] = machine
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
