"""A run before it trains: its recipe, method, folder and data. Starts no TensorFlow."""

import functools
from typing import Any

from easymft import files
from easymft.config import METHODS, Config
from easymft.config.method import META_LEARNER
from easymft.data.corpus.word_pieces import WordPieces
from easymft.devices.distribution import Distribution
from easymft.report.tensorboard import Logs
from easymft.runs import STAGE_NAMES
from easymft.runs.data import RunData
from easymft.runs.folder import RunFolder


class UntrainedRun:
    """As much of a run of a recipe as its first stage, `validate`, needs.

    Args:
        config: The complete recipe.
        word_pieces: Counts the encoder's word pieces; `None`: the texts are tokenized for that.

    Attributes:
        keeps_models: Whether trained models stay once all stages are done; as the recipe says,
            but where another run still needs them.
        keeps_adapted: Whether the adapted encoder stays where the models do not.
    """

    def __init__(self, config: Config, word_pieces: WordPieces | None = None):
        self.config = config
        self.method = METHODS[config.method]
        self.folder = RunFolder(config)
        self.data = RunData(config, self.folder, word_pieces)
        self.keeps_models = config.keep_models
        self.keeps_adapted = False

    @functools.cached_property
    def distribution(self) -> Distribution:
        """The devices of the run: one."""
        return Distribution()

    def stages(self) -> list[str]:
        """Return the names of the stages that the run has, in order."""
        has = {
            "adapt": self.config.adapt.epochs > 0 and self.method.has_encoder,
            "typicality": self.method.uses_typicality,
            "meta_fine_tune": self.method.model is not None,
            "self_train": self.method.self_trains,
            "fine_tune": self.method.fine_tunes,
            "cross_fit": self.config.answers.folds is not None,
            "diagnose": self.config.diagnose and self.method.has_encoder,
        }
        return [name for name in STAGE_NAMES if has.get(name, True)]

    @property
    def has_parts(self) -> bool:
        """Whether domains have small parts beside the meta-learner in place of models."""
        return self.method.has_parts(self.config.fine_tune)

    def models(self) -> dict[str, int | None]:
        """Return the names of the trained models, each with the code of its only domain, if any."""
        models: dict[str, int | None] = {}
        if self.method.model is not None:
            models[META_LEARNER] = None
        if self.method.fine_tunes and not self.has_parts:
            for code, domain in enumerate(self.data.corpus.domains):
                # The number keeps domains apart that differ only in what a file name cannot have.
                models[f"{code}-{files.slug(domain)}"] = code
        return models

    def logs(self) -> Logs:
        """Open the run's TensorBoard logs; a context manager."""
        return Logs(files.place(self.folder.logs), self.data.corpus.domains)

    def mark_done(self, stage: str, facts: dict[str, Any]) -> None:
        """Mark a stage, or a part of one, as done; returns when every worker can see it."""
        self.folder.mark_done(stage, facts)
        self.distribution.barrier()
        self.folder.await_done(stage)
