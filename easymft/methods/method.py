"""What distinguishes one row of the paper's table from another."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from easymft.config import Config, FineTune, Phase
from easymft.models import TextClassifier

# (backbone, configuration, classes, domains, steps of the phase) -> an uncompiled model
Build = Callable[[keras.Model, Config, int, int, int], TextClassifier]


@dataclass(frozen=True)
class Method:
    """A method: which model learns from all domains mixed, and whether each domain gets its own.

    All methods see the same number of training texts: where a method has one phase only, that
    phase runs for the epochs of both.

    Attributes:
        name: Its name in recipes.
        title: Its name in the paper's table.
        build: Makes the model of the mixed phase; `None`: there is no such phase.
        fine_tunes: Whether every domain fine-tunes its own copy.
        uses_typicality: Whether typicality weights the mixed phase.
        corrupts: Whether domain corruption heads train along in the mixed phase.
    """

    name: str
    title: str
    build: Build | None
    fine_tunes: bool
    uses_typicality: bool = False
    corrupts: bool = False

    def phases(self, config: Config) -> tuple[Phase | None, FineTune | None]:
        """Settings of the mixed and of the per-domain phase; `None` where there is none."""
        mixed, own = config.meta_fine_tune, config.fine_tune
        both = mixed.epochs + own.epochs
        if self.build is None:
            return None, own.model_copy(update={"epochs": both})
        if not self.fine_tunes:
            return mixed.model_copy(update={"epochs": both}), None
        return mixed, own
