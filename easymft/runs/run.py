"""What the stages of a run share: its recipe, method, folder and data, and its models by name."""

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import keras

from easymft import files
from easymft.config import METHODS, Config
from easymft.config.method import META_LEARNER
from easymft.devices.distribution import Distribution, precision_policy
from easymft.errors import InputError
from easymft.fetch.packages import sha256_of
from easymft.methods.trainer import Trainer
from easymft.models import TextClassifier
from easymft.models.backbone import load_backbone
from easymft.models.lora import merged_weights
from easymft.report.tensorboard import Logs
from easymft.runs import STAGE_NAMES
from easymft.runs.data import RunData
from easymft.runs.folder import RunFolder


class Run:
    """One run of one recipe.

    Args:
        config: The complete recipe.
    """

    def __init__(self, config: Config):
        self.config = config
        self.method = METHODS[config.method]
        self.folder = RunFolder(config)
        self.data = RunData(config, self.folder)

    @functools.cached_property
    def distribution(self) -> Distribution:
        """The devices of the run. Made before TensorFlow computes anything."""
        settings = self.config.distribution
        return Distribution.of(settings.strategy, settings.tpu)

    def stages(self) -> list[str]:
        """Return the names of the stages that the run has, in order."""
        has = {
            "typicality": self.method.uses_typicality,
            "meta_fine_tune": self.method.model is not None,
            "fine_tune": self.method.fine_tunes,
            "diagnose": self.config.diagnose,
        }
        return [name for name in STAGE_NAMES if has.get(name, True)]

    def models(self) -> dict[str, int | None]:
        """Names of the trained models, each with the code of its only domain, if any."""
        models: dict[str, int | None] = {}
        if self.method.model is not None:
            models[META_LEARNER] = None
        if self.method.fine_tunes:
            for code, domain in enumerate(self.data.corpus.domains):
                # The number keeps domains apart that differ only in what a file name cannot have.
                models[f"{code}-{files.slug(domain)}"] = code
        return models

    def backbone(self) -> keras.Model:
        """The encoder as it was pre-trained."""
        return load_backbone(
            self.config.backbone.preset,
            dropout=self.config.backbone.dropout,
            dtype=precision_policy(self.config.precision),
        )

    def new_classifier(self) -> TextClassifier:
        """An untrained class head on the encoder as it was pre-trained."""
        return TextClassifier(
            self.backbone(),
            self.data.num_classes,
            self.data.num_domains,
            embedding=self.config.backbone.pooling,
            dropout=self.config.dropout,
        )

    def load(self, name: str) -> TextClassifier:
        """A trained model."""
        with self._intact(name) as path:
            return keras.saving.load_model(path, compile=False)

    def fingerprint(self, name: str) -> str:
        """Return the SHA-256 of a trained model's file."""
        with self._intact(name) as path:
            return sha256_of(path)

    def load_weights(self, model: TextClassifier, name: str) -> None:
        """Give `model` the weights of another trained model of its kind."""
        # Ten times faster than Keras' `load_weights`, which seeks through the archive.
        with (
            self._intact(name) as path,
            tempfile.TemporaryDirectory() as folder,
            ZipFile(path) as archive,
        ):
            model.load_weights(archive.extract("model.weights.h5", folder))

    def keep(self, model: TextClassifier, name: str) -> None:
        """Save a model for use, without the state of its training."""
        clone = type(model).from_config(model.get_config())
        clone.set_weights(merged_weights(model))
        with files.staged(self.folder.model(name)) as path:
            clone.save(path)

    @contextlib.contextmanager
    def _intact(self, name: str) -> Iterator[Path]:
        """The file of a trained model; reading it in the block fails with a clear error."""
        path = self.folder.model(name)
        if not path.exists():
            raise InputError(
                "this trained model is gone (kept only with `keep_models`); `--restart` begins "
                "anew",
                file=path,
            )
        try:
            yield path
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            message = "this trained model is damaged; `--restart` begins anew"
            raise InputError(message, file=path) from error

    def logs(self) -> Logs:
        """The run's TensorBoard logs; a context manager."""
        return Logs(files.place(self.folder.logs), self.data.corpus.domains)

    def mark_done(self, stage: str, facts: dict[str, Any]) -> None:
        """Mark a stage, or a part of one, as done; returns when every worker can see it."""
        self.folder.mark_done(stage, facts)
        self.distribution.wait()
        self.folder.await_done(stage)

    def train(
        self, trainer: Trainer, title: str, name: str, domain: int | None = None, **arguments: Any
    ) -> list[dict[str, float]]:
        """Run one training into the logs; goes on from where an interrupted one stood.

        Args:
            trainer: The trainer.
            title: What people read.
            name: Of the model trained.
            domain: Code of the only domain trained on.
            **arguments: Of `Trainer.run`.
        """
        with self.logs() as logs:
            return trainer.run(
                title,
                self.data.training_tokens,
                checkpoint=self.folder.checkpoint(name),
                on_leg=functools.partial(logs.add_leg, name, only=domain),
                **arguments,
            )
