"""A run: what `UntrainedRun` has, its devices and its models."""

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import keras

from easymft import files
from easymft.config import Config
from easymft.config.method import META_LEARNER
from easymft.devices.distribution import Distribution
from easymft.devices.machine import precision_policy
from easymft.errors import InputError
from easymft.fetch.packages import sha256_of
from easymft.methods.checkpoint import Checkpoint, History
from easymft.methods.phases import Task
from easymft.methods.tfidf import TfidfClassifier
from easymft.methods.trainer import Trainer, TrainingTexts
from easymft.models import AdaptedTextClassifier, TextClassifier
from easymft.models.backbone import load_backbone
from easymft.models.domain_parts import DomainParts
from easymft.models.familiarity import Familiarity
from easymft.models.label_sets import LabelSets
from easymft.runs.untrained_run import UntrainedRun


class Run(UntrainedRun):
    """One run of one recipe.

    Args:
        config: The complete recipe.

    Attributes:
        adapted_by: Another run that has adapted the same encoder to the same texts.
    """

    def __init__(self, config: Config):
        super().__init__(config)
        self.adapted_by: Run | None = None
        self._twin: tuple[dict[str, Any], TextClassifier] | None = None  # see `_without_training`

    @functools.cached_property
    def distribution(self) -> Distribution:
        """The devices of the run. Made before TensorFlow computes anything."""
        settings = self.config.distribution
        return Distribution.of(settings.strategy, settings.tpu)

    def model_files(self) -> list[Path]:
        """Return the files that hold what was trained."""
        models = [self.folder.model(name) for name in self.models()]
        return [*models, self.folder.domain_parts] if self.has_parts else models

    def name_of(self, domain: int | None) -> str:
        """Return the name of the model of a domain, or of the meta-learner."""
        return next(name for name, code in self.models().items() if code == domain)

    def checkpoint(self, name: str) -> Checkpoint:
        """Return the place of the state of a model in training."""
        return Checkpoint(self.folder.checkpoint(name))

    @functools.cached_property
    def task(self) -> Task:
        """What the method learns from, once the data are split."""
        data = self.data
        return Task(
            self.config,
            self.method,
            data.training_tokens,
            data.splits,
            data.num_classes,
            data.corpus.domains,
            data.label_sets,
        )

    def pretrained(self) -> keras.Model:
        """Return the encoder as it was pre-trained."""
        return load_backbone(
            self.config.backbone.preset,
            dropout=self.config.backbone.dropout,
            dtype=precision_policy(self.config.precision),
        )

    def backbone(self) -> keras.Model:
        """Return the encoder that training begins with: pre-trained, and adapted where asked."""
        backbone = self.pretrained()
        if "adapt" in self.stages():
            with self._intact(self.folder.adapted) as path:
                backbone.load_weights(path)
        return backbone

    def keep_backbone(self, backbone: keras.Model) -> None:
        """Save the adapted encoder."""
        with files.staged(self.folder.adapted) as path:
            backbone.save_weights(path)

    def new_classifier(self, label_sets: LabelSets | None = None) -> TextClassifier:
        """Return an untrained class head on the encoder that training begins with.

        Args:
            label_sets: The classes of each domain, for one that is to be trained.
        """
        return TextClassifier(
            self.backbone(),
            self.data.num_classes,
            self.data.num_domains,
            embedding=self.config.backbone.pooling,
            dropout=self.config.dropout,
            label_sets=label_sets,
        )

    def load(self, name: str) -> TextClassifier | TfidfClassifier:
        """Return a trained model."""
        with self._intact(self.folder.model(name)) as path:
            if not self.method.has_encoder:
                return TfidfClassifier.load(path)
            return keras.saving.load_model(path, compile=False)

    def fingerprint(self, name: str) -> str:
        """Return the SHA-256 of a trained model's file."""
        with self._intact(self.folder.model(name)) as path:
            return sha256_of(path)

    def load_weights(self, model: TextClassifier, name: str) -> None:
        """Give `model` the weights of another trained model of its kind."""
        # Ten times faster than Keras' `load_weights`, which seeks through the archive.
        with (
            self._intact(self.folder.model(name)) as path,
            tempfile.TemporaryDirectory() as folder,
            ZipFile(path) as archive,
        ):
            model.load_weights(archive.extract("model.weights.h5", folder))

    def keep(self, model: TextClassifier | TfidfClassifier, name: str) -> None:
        """Save a model for use, without the state of its training; one that reads texts."""
        if isinstance(model, TextClassifier):
            model, data = self._without_training(model), self.data
            if data.has_preprocessor and model.preprocessor is None:
                corpus = data.corpus
                names = corpus.labels, corpus.domains
                model.attach_preprocessor(data.preprocessor, *names, pairs=corpus.is_pair)
        with files.staged(self.folder.model(name)) as path:
            model.save(path)

    def _without_training(self, model: TextClassifier) -> TextClassifier:
        """Return a model that is not compiled, with the same weights: itself, or a twin.

        Making one takes seconds, so that of the last model serves those that are like it.
        """
        if not model.compiled:
            return model
        config = {**model.get_config(), "preprocessor": None}
        if self._twin is None or self._twin[0] != config:
            self._twin = config, model.twin()
            return self._twin[1]
        twin = self._twin[1]
        twin.set_weights(model.get_weights())
        twin.rules = model.rules
        return twin

    def domain_parts(self) -> DomainParts:
        """Return the small parts of all domains."""
        with self._intact(self.folder.domain_parts) as path:
            return DomainParts.load(path)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of training, and those that were added since."""
        trained = tuple(self.folder.facts("validate")["labels"])
        return (*trained, *(self.domain_parts().new_labels if self.has_parts else ()))

    def keep_parts(self, parts: DomainParts) -> None:
        """Save small parts of domains, in the place of earlier ones."""
        with files.staged(self.folder.domain_parts) as path:
            parts.save(path)

    def familiarity(self) -> Familiarity | None:
        """Return what is familiar to the models; `None` where an earlier release made them."""
        if not self.folder.familiarity.exists():
            return None
        with self._intact(self.folder.familiarity) as path:
            return Familiarity.load(path)

    def keep_familiarity(self, familiarity: Familiarity) -> None:
        """Save what is familiar to the run's models."""
        with files.staged(self.folder.familiarity) as path:
            familiarity.save(path)

    def with_parts(self, learner: TextClassifier | None = None) -> AdaptedTextClassifier:
        """Return the meta-learner with the parts of the corpus's domains, as they were trained.

        Args:
            learner: The meta-learner, where it is at hand.
        """
        parts = self.domain_parts().as_trained(self.data.corpus.domains)
        return parts.beside(learner or self.load(META_LEARNER))

    @contextlib.contextmanager
    def _intact(self, path: Path) -> Iterator[Path]:
        """Yield a file of a trained model; reading it in the block fails with a clear error."""
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

    def record(
        self, trainer: Trainer, title: str, texts: TrainingTexts, of: int | str | None = None
    ) -> History:
        """Run one training into the logs; goes on from where an interrupted one stood.

        A `easymft.methods.phases.Record`.
        """
        only, name = (None, of) if isinstance(of, str) else (of, self.name_of(of))
        with self.logs() as logs:
            on_chunk = functools.partial(logs.add_chunk, name, only=only)
            return trainer.run(title, texts, self.checkpoint(name), on_chunk)
