"""What an audit looks at: texts, their tokens, and the encoder as it was pre-trained."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from easymft.auditing import frozen
from easymft.config import METHODS, Config
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.schema import UNKNOWN, Corpus
from easymft.errors import InputError
from easymft.methods.logistic import Shrinkage
from easymft.methods.phases import Task
from easymft.models import TextClassifier, TextEmbedder
from easymft.models.inference import predict
from easymft.models.label_sets import LabelSets


@dataclasses.dataclass(frozen=True, eq=False)
class Material:
    """Labelled texts, perhaps others without a label, and what is known of them.

    Attributes:
        config: The complete recipe.
        corpus: The texts.
        tokens: Its tokens.
        new_backbone: Gives the encoder as it was pre-trained.
        label_sets: The classes of each domain, where not all have all.
    """

    config: Config
    corpus: Corpus
    tokens: TokenizedTexts
    new_backbone: Callable[[], keras.Model]
    label_sets: LabelSets | None = None

    @functools.cached_property
    def rows(self) -> np.ndarray:
        """Rows of the texts that have a label.

        Raises:
            InputError: They are of one class only, or too few for the folds.
        """
        rows, folds = np.flatnonzero(self.labels != UNKNOWN), self.config.audit.folds
        classes = len(set(self.labels[rows]))
        if classes < 2:
            message = f"needs labels of two classes or more to tell them apart. Received: {classes}"
            raise InputError(message, field="--mode audit")
        if len(rows) < folds:
            message = f"must be no more than the {len(rows)} labelled texts. Received: {folds}"
            raise InputError(message, field="audit.folds")
        return rows

    @property
    def bare_rows(self) -> np.ndarray:
        """Rows of the texts without a label."""
        return np.flatnonzero(self.labels == UNKNOWN)

    @property
    def labels(self) -> np.ndarray:
        """Codes of the labels of all texts."""
        return self.corpus.codes("label")

    @property
    def domains(self) -> np.ndarray:
        """Codes of the domains of all texts."""
        return self.corpus.codes("domain")

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of domains and of classes."""
        return len(self.corpus.domains), len(self.corpus.labels)

    @functools.cached_property
    def backbone(self) -> keras.Model:
        """The encoder as it was pre-trained."""
        return self.new_backbone()

    @functools.cached_property
    def embeddings(self) -> np.ndarray:
        """E(x) of all texts by the encoder as it was pre-trained, float32 `(texts, hidden)`."""
        pooling = self.config.backbone.pooling
        model = TextClassifier(self.backbone, self.shape[1], embedding=pooling)
        rows = np.arange(len(self.corpus))
        return predict(TextEmbedder(model), "embedding", self.tokens, rows)

    @functools.cached_property
    def shrinkage(self) -> Shrinkage:
        """How heads on the frozen encoder are best shrunk for the labelled texts."""
        rows = self.rows
        own = self.embeddings[rows].astype(float), self.labels[rows], self.domains[rows]
        return frozen.best_shrinkage(*own, self.shape)

    def task(self, method: str) -> Task:
        """Return what a method learns; all texts, without a split."""
        none: dict[str, Any] = {}
        return Task(
            *(self.config, METHODS[method], self.tokens, none),
            *(self.shape[1], self.corpus.domains, self.label_sets),
        )

    def texts(self, rows: np.ndarray) -> list[str]:
        """Return some texts; pairs as one text."""
        return [" \x1f ".join(texts) for texts in zip(*self.columns(rows), strict=True)]

    def columns(self, rows: np.ndarray) -> list[np.ndarray]:
        """Return some texts, or those and their pairs, each an object array `(texts,)`."""
        part = self.corpus.take(rows).table
        return [np.array(part[name].to_pylist(), object) for name in self.corpus.text_columns]
