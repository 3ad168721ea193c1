"""Self-training: label texts that have none, choose the surest, train a fresh encoder on them too.

Reference: Lee: Pseudo-label, ICML workshop 2013; Xie et al.: Self-training with noisy student, CVPR
2020, for the fresh learner and soft targets. The loss of these is the cross-entropy with the
teacher's probabilities, -sum_m q_m log p_m (Hinton et al.: Distilling the knowledge in a neural
network, 2015, at temperature 1). The choice by typicality, and weights by it, are our own.
"""

import dataclasses
from collections.abc import Iterator

import keras
import numpy as np

from easymft.config import SelfTraining
from easymft.data.corpus.parts import UNLABELED
from easymft.methods import phases
from easymft.methods.checkpoint import History
from easymft.methods.phases import Record, Task
from easymft.models import TextClassifier, TextEmbedder
from easymft.models.inference import predict
from easymft.models.label_sets import within
from easymft.models.scoring import CHUNK


@dataclasses.dataclass(frozen=True)
class PseudoLabels:
    """What a model makes of texts without labels.

    Attributes:
        rows: int `(n,)`, rows of the tokens.
        labels: int32 `(n,)`, the most probable class.
        probabilities: float32 `(n, classes)`, those of all.
        typicality: float32 `(n,)`, typicality as a text of that class.
        margin: float32 `(n,)`, by how much that exceeds the typicality as one of any other class.
    """

    rows: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    typicality: np.ndarray
    margin: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """Return the probability of the most probable class, float32 `(n,)`."""
        return self.probabilities.max(axis=1)

    def take(self, places: np.ndarray) -> "PseudoLabels":
        """Return those at the given places, in that order."""
        return PseudoLabels(*(value[places] for value in vars(self).values()))


def label(task: Task, model: TextClassifier) -> PseudoLabels:
    """Label a task's texts without labels.

    Typicality is that in the model's own encoder, of centroids that its training texts have there.

    Args:
        task: What is learned; rows of its split `unlabeled` are labelled.
        model: A model that has learned it.
    """
    embedder, layer, tokens = TextEmbedder(model), phases.weighting(task), task.tokens
    labels, domains = np.asarray(tokens.labels), np.asarray(tokens.domains)
    layer.adapt(
        (embeddings, labels[part], domains[part])
        for part, embeddings in _embedded(embedder, task, "train")
    )
    parts = []
    for part, embeddings in _embedded(embedder, task, UNLABELED):
        logits = model.class_head(embeddings)
        if model.allowed is not None:
            logits = within(logits, model.allowed, domains[part])
        probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        typicalities = np.stack(
            [
                layer.raw_scores(embeddings, np.full(len(part), code), domains[part])
                for code in range(task.num_classes)
            ],
            axis=1,
        )
        if model.allowed is not None:
            typicalities[~np.asarray(model.allowed)[domains[part]]] = -np.inf
        parts.append(_of_scores(part, probabilities, typicalities))
    columns = (
        np.concatenate([getattr(part, field.name) for part in parts])
        for field in dataclasses.fields(PseudoLabels)
    )
    return PseudoLabels(*columns)


def _embedded(
    embedder: TextEmbedder, task: Task, split: str
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows of a split and their embeddings, chunk by chunk: the bound on memory."""
    rows = task.splits[split]
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        yield part, predict(embedder, f"looking at {split} texts", task.tokens, part)


def _of_scores(
    rows: np.ndarray, probabilities: np.ndarray, typicalities: np.ndarray
) -> PseudoLabels:
    labels, places = probabilities.argmax(axis=1), np.arange(len(rows))
    own, others = typicalities[places, labels], typicalities.copy()
    others[places, labels] = -np.inf
    margin = own - others.max(axis=1)
    return PseudoLabels(rows, labels.astype(np.int32), probabilities, own, margin)


def choose(task: Task, guesses: PseudoLabels, settings: SelfTraining) -> PseudoLabels:
    """Return the surest guesses of every domain and class.

    A domain gets `settings.share` of its texts, its classes in the proportions that they have among
    its labelled texts (among all labelled texts, if it has none), or all of a class where they are
    fewer.
    """
    sure = guesses.margin if settings.choose_by == "typicality" else guesses.confidence
    domains, shares = np.asarray(task.tokens.domains)[guesses.rows], _class_shares(task)
    chosen = []
    for domain in range(task.num_domains):
        room = settings.share * np.count_nonzero(domains == domain)
        for code in range(task.num_classes):
            own = np.flatnonzero((domains == domain) & (guesses.labels == code))
            surest = own[np.argsort(-sure[own], kind="stable")]
            chosen.append(surest[: int(room * shares[domain, code] + 0.5)])
    return guesses.take(np.sort(np.concatenate(chosen)))


def _class_shares(task: Task) -> np.ndarray:
    """Return the share of every class among the labelled texts of a domain, or else of all."""
    rows, shape = task.splits["train"], (task.num_domains, task.num_classes)
    cells = np.asarray(task.tokens.domains)[rows] * shape[1] + np.asarray(task.tokens.labels)[rows]
    counts = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    counts[counts.sum(axis=1) == 0] = counts.sum(axis=0)
    return counts / counts.sum(axis=1, keepdims=True)


def learn(
    task: Task,
    teacher: TextClassifier,
    chosen: PseudoLabels,
    backbone: keras.Model,
    record: Record,
    settings: SelfTraining,
) -> tuple[TextClassifier, History]:
    """Train a fresh model on labelled and pseudo-labelled texts, as `phases.meta_fine_tune` does.

    Args:
        task: What is learned.
        teacher: The model that labelled; its encoder gives the typicalities that weights need.
        chosen: The pseudo-labelled texts.
        backbone: The encoder to begin with.
        record: Runs the training.
        settings: How often labelled texts are seen, for how long, and what the others are taught
            and weigh.
    """
    student, scores, weights, targets = _student_task(task, chosen, settings), None, None, None
    rows = student.splits["train"]
    pseudo = slice(len(rows) - len(chosen.rows), None)  # the places of the pseudo-labelled
    if task.method.uses_typicality:
        scores = phases.score(student, teacher, {"train": rows})
    elif settings.weight_by != "none":
        weights = np.ones(len(rows), np.float32)
        weights[pseudo] = _weights(getattr(chosen, settings.weight_by))
    if settings.targets == "soft":
        targets = keras.utils.to_categorical(student.tokens.labels[rows], task.num_classes)
        targets[pseudo] = chosen.probabilities
    return phases.meta_fine_tune(student, backbone, record, scores, weights, targets)


def _weights(sureness: np.ndarray) -> np.ndarray:
    """Return non-negative weights of mean 1 in proportion to what texts are sure by."""
    weights = np.maximum(sureness, 0)
    return weights / weights.mean() if weights.any() else np.ones_like(weights)


def _student_task(task: Task, chosen: PseudoLabels, settings: SelfTraining) -> Task:
    """Return a task with the pseudo-labels in the place of whatever labels those texts have."""
    labels = np.array(task.tokens.labels)
    labels[chosen.rows] = chosen.labels
    train = np.concatenate([np.tile(task.splits["train"], settings.labeled_repeats), chosen.rows])
    config = task.config
    phase = config.meta_fine_tune.model_copy(update={"epochs": settings.epochs})
    # A method of one phase adds up the epochs of both.
    own = config.fine_tune.model_copy(update={"epochs": 0})
    return dataclasses.replace(
        task,
        config=config.model_copy(update={"meta_fine_tune": phase, "fine_tune": own}),
        tokens=dataclasses.replace(task.tokens, labels=labels),
        splits={**task.splits, "train": train},
    )


def folds(task: Task, number: int) -> Iterator[Task]:
    """Yield tasks that each learn from all labelled texts but a fold of them, their `dev` texts.

    The folds are stratified by domain and class, as far as there are enough texts.
    """
    rows, tokens = task.splits["train"], task.tokens
    cells = np.asarray(tokens.domains)[rows] * task.num_classes + np.asarray(tokens.labels)[rows]
    random = np.random.Generator(np.random.PCG64([task.config.seed, number]))
    mixed = random.permutation(len(rows))
    dealt = rows[mixed[np.argsort(cells[mixed], kind="stable")]]
    for fold in range(number):
        held_out = np.sort(dealt[fold::number])
        train = np.setdiff1d(rows, held_out)
        yield dataclasses.replace(task, splits={**task.splits, "train": train, "dev": held_out})


def kept_rounds(right: list[int]) -> int:
    """Return how many rounds are kept: all before the first that gets no more texts right.

    Args:
        right: Numbers of texts that the first model and each round's gets right.
    """
    better = np.diff(right) > 0
    return len(better) if better.all() else int(np.argmin(better))
