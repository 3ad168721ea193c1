"""The two phases of every method: all domains mixed, then each by itself.

Recipes (`runs.stages`) and texts in memory (`in_memory`) train through these functions alone; what
differs between them is where a training's curve and state are kept, a `Record`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import keras
import numpy as np

from easymft.config import Config, FineTune, Method, Phase
from easymft.config.method import DOMAIN_PARTS
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.parts import DEV_PARTS, TRAINING_PARTS, Splits, joined_rows
from easymft.layers import TypicalityWeighting
from easymft.methods import typicality
from easymft.methods.checkpoint import History
from easymft.methods.evaluation import class_probabilities
from easymft.methods.meta_learner import build_meta_learner
from easymft.methods.trainer import Trainer, TrainingTexts
from easymft.models import AdaptedTextClassifier, TextClassifier, TextEmbedder, scoring
from easymft.models.label_sets import LabelSets

LEAST_BATCH = 4  # texts of a new domain's step


class Record(Protocol):
    """Runs one training and keeps its curve and, while it is unfinished, its state."""

    def __call__(
        self, trainer: Trainer, title: str, texts: TrainingTexts, of: int | str | None = None
    ) -> History:
        """Train under `title`; `of` is a domain's code, `DOMAIN_PARTS`, or None: meta-learner."""
        ...


@dataclass(frozen=True)
class Task:
    """What a method learns from.

    Attributes:
        config: The complete recipe.
        method: The method; its phases may be fewer than those that the recipe names.
        tokens: The tokenized texts with the labels that training sees.
        splits: Rows of `tokens` by split.
        num_classes: Number of classes.
        domains: Names of the domains, in the order of their codes.
        label_sets: The classes of each domain, where not all have all.
    """

    config: Config
    method: Method
    tokens: TokenizedTexts
    splits: Splits
    num_classes: int
    domains: Sequence[str]
    label_sets: LabelSets | None = None

    @property
    def num_domains(self) -> int:
        """Return the number of domains."""
        return len(self.domains)

    @property
    def phases(self) -> tuple[Phase | None, FineTune | None]:
        """Return the method's two phases, as `Method.phases` does."""
        return self.method.phases(self.config.meta_fine_tune, self.config.fine_tune)


def untrained(task: Task, backbone: keras.Model) -> TextClassifier:
    """Return an untrained class head on an encoder."""
    config = task.config
    return TextClassifier(
        backbone,
        task.num_classes,
        task.num_domains,
        embedding=config.backbone.pooling,
        dropout=config.dropout,
        label_sets=task.label_sets,
    )


def weighting(task: Task) -> TypicalityWeighting:
    """Return the layer that scores a task's texts, without centroids yet."""
    return typicality.weighting(task.num_classes, task.num_domains, task.config.mft)


def score(
    task: Task, model: TextClassifier, splits: Splits, layer: TypicalityWeighting | None = None
) -> dict[str, np.ndarray]:
    """Return the typicality of every split's texts by a model's encoder, not clipped.

    Args:
        task: What is learned.
        model: Gives E(x).
        splits: Rows by split, "train" first; `(len(rows),)` float32 is returned for each.
        layer: Keeps the centroids, for those who ask it afterwards.
    """
    layer = weighting(task) if layer is None else layer
    return scoring.scores(TextEmbedder(model), task.tokens, splits, layer)


def meta_fine_tune(
    task: Task,
    backbone: keras.Model,
    record: Record,
    scores: dict[str, np.ndarray] | None = None,
    sample_weight: np.ndarray | None = None,
    targets: np.ndarray | None = None,
) -> tuple[TextClassifier, History]:
    """Train one model on all domains mixed.

    Args:
        task: What is learned, by a method that has this phase.
        backbone: The encoder as it was pre-trained.
        record: Runs the training.
        scores: Typicality of the training (and dev) texts, for methods that weight by it.
        sample_weight: float `(training texts,)`, what each counts, for the other methods.
        targets: float `(training texts, classes)`, probabilities to teach in place of labels: the
            loss is then the cross-entropy with them.

    Returns:
        The meta-learner, without the heads that only training has; and the history.
    """
    phase, _ = task.phases
    if phase is None:
        raise ValueError(f"method `{task.method.name}` has no phase over all domains")
    rows, config = task.splits["train"], task.config
    model = build_meta_learner(
        task.method,
        backbone,
        config,
        task.num_classes,
        task.num_domains,
        phase.steps(len(rows)),
        task.label_sets,
    )
    weights = (sample_weight, None) if scores is None else _loss_weights(task, model, scores)
    texts = TrainingTexts(task.tokens, rows, weights[0], task.splits["dev"], weights[1], targets)
    title = "meta fine-tuning" if task.method.fine_tunes else "training"
    trainer = Trainer(model, phase, config.optimizer, config.seed, soft=targets is not None)
    history = record(trainer, title, texts)
    return model.without_heads(), history


class FineTuning:
    """The phase that gives every domain a copy of its own, with one traced step for all.

    Args:
        task: What is learned, by a method that has this phase.
        model: What every copy starts from: the meta-learner, or a new class head on the encoder
            as it was pre-trained. It is trained in place.
    """

    def __init__(self, task: Task, model: TextClassifier):
        _, phase = task.phases
        if phase is None:
            raise ValueError(f"method `{task.method.name}` has no phase for each domain")
        self.phase, self.task, self.model = phase, task, model
        if task.method.model is not None and not task.config.mft.keep_class_head:
            model.reset_class_head()
        self._start = model.get_weights()
        self._trainer = Trainer(model, self.phase, task.config.optimizer, task.config.seed)

    def run(
        self, domain: int, record: Record, rows: np.ndarray, dev_rows: np.ndarray | None = None
    ) -> History:
        """Train the copy of one domain, which `model` then is; return the history."""
        self.model.set_weights(self._start)
        texts = TrainingTexts(self.task.tokens, rows, dev_rows=dev_rows)
        title = f"fine-tuning {self.task.domains[domain]}"
        return record(self._trainer, title, texts, domain)


def fine_tune_parts(
    task: Task, meta_learner: TextClassifier, record: Record
) -> tuple[AdaptedTextClassifier, History]:
    """Train small parts of all domains beside the meta-learner, in one pass over all texts.

    Args:
        task: What is learned, by a method whose second phase is for small parts.
        meta_learner: Frozen by that; the parts stand on its own encoder.
        record: Runs the training.

    Returns:
        The meta-learner with the parts beside it, and the history.
    """
    _, phase = task.phases
    if phase is None or phase.parts == "all":
        raise ValueError(f"method `{task.method.name}` has no phase for small parts")
    settings, seed = phase.adapters, task.config.seed
    model = AdaptedTextClassifier.of_meta_learner(
        meta_learner,
        task.num_domains,
        parts=phase.parts,
        rank=settings.rank,
        kernels=settings.kernels,
        seed=seed,
        label_sets=task.label_sets,
    )
    decay = {"weight_decay": settings.weight_decay}
    trainer = Trainer(model, phase, task.config.optimizer.model_copy(update=decay), seed)
    # With those of a domain that the meta-learner never saw.
    dev_rows = joined_rows(task.splits, DEV_PARTS)
    texts = TrainingTexts(task.tokens, joined_rows(task.splits, TRAINING_PARTS), dev_rows=dev_rows)
    return model, record(trainer, "fine-tuning", texts, DOMAIN_PARTS)


def for_new_domain(config: Config, domains: int) -> Config:
    """Return the recipe by which parts of one more domain are trained, alone.

    Its batches have as many texts of a domain as those had that mixed all domains, so that it
    learns in as many steps as they did.

    Args:
        config: The recipe that the others' parts were trained by.
        domains: How many others those were.
    """
    own = config.fine_tune
    size = min(max(own.batch_size // domains, LEAST_BATCH), own.batch_size)
    update = {"batch_size": size, "gradient_accumulation_steps": 1}
    return config.model_copy(update={"fine_tune": own.model_copy(update=update)})


def no_better_on_dev(task: Task, model: AdaptedTextClassifier) -> list[str]:
    """Return the domains whose parts get no more of their dev texts right than none do."""
    rows = joined_rows(task.splits, DEV_PARTS)
    if not len(rows):
        return []
    labels, codes = task.tokens.labels[rows], task.tokens.domains[rows]
    own, shared = (
        class_probabilities(one, "comparing on dev", task.tokens, rows).argmax(axis=1) == labels
        for one in (model, model.meta_learner())
    )
    texts, *right = (
        np.bincount(codes, weights, task.num_domains) for weights in (None, own, shared)
    )
    worse = (texts > 0) & (right[0] <= right[1])
    return [domain for domain, no_better in zip(task.domains, worse, strict=True) if no_better]


def _loss_weights(
    task: Task, model: TextClassifier, scores: dict[str, np.ndarray]
) -> tuple[np.ndarray | Callable[[], np.ndarray], np.ndarray | None]:
    """Return the weights of training and, where they have some, dev texts.

    With `mft.refresh_typicality` those of training are a function, for each epoch to call anew.
    """
    mft = task.config.mft
    weights = typicality.loss_weights(scores, mft)
    dev = weights["dev"] if mft.weighted_evaluation and "dev" in weights else None
    if not mft.refresh_typicality:
        return weights["train"], dev
    train = {"train": task.splits["train"]}
    return lambda: typicality.loss_weights(score(task, model, train), mft)["train"], dev
