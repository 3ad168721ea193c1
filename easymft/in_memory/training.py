"""Train a method on texts in memory: no run folder, no stages, no test texts."""

import contextlib
import dataclasses
import random
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from easymft.config import Config, Method
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.schema import UNKNOWN
from easymft.devices.machine import precision_policy
from easymft.in_memory.adapted_model import AdaptedModel
from easymft.in_memory.corpus import all_train
from easymft.in_memory.shared_model import SharedModel, with_domain_codes
from easymft.methods import answers, phases, rounds, task_typicality, typicality
from easymft.methods.checkpoint import Checkpoint, History
from easymft.methods.cross_fitting import NewBackbone, answer_held_out
from easymft.methods.folds import folds
from easymft.methods.new_class import learn_class
from easymft.methods.phases import Record, Task
from easymft.methods.rounds import Fitted
from easymft.methods.trainer import Trainer, TrainingTexts
from easymft.models import load_backbone
from easymft.models.answer_rules import AnswerRules
from easymft.models.domain_parts import DomainParts
from easymft.models.label_sets import LabelSets
from easymft.progress import progress_bars

_alone = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Trained:
    """What training leaves.

    Attributes:
        model: Answers for each domain.
        typicality: `(texts,)` float32, the weights that the meta-learner began with; `None`
            where the method has none.
        history: Phase -> what `Trainer.run` returned.
        pseudo_labels: int32 `(texts,)`, the classes by which the meta-learner was last taught texts
            without labels, -1 for all others; `None` where the method has no self-training.
        rules: Temperatures and thresholds, found by cross-fitting where the recipe asks for it.
    """

    model: SharedModel | AdaptedModel
    typicality: np.ndarray | None
    history: dict[str, History]
    pseudo_labels: np.ndarray | None
    rules: AnswerRules


def train(
    config: Config,
    method: Method,
    tokens: TokenizedTexts,
    num_classes: int,
    domains: Sequence[str],
    say: Callable[[str], None],
    label_sets: LabelSets | None = None,
) -> Trained:
    """Train on all texts, as a run does: mixed, by self-training, then a copy for each domain.

    New layers draw their weights from Python's generator; see `seeded`.

    Args:
        config: A recipe; only what it says of models and training counts.
        method: One that has a meta-learner.
        tokens: The texts; those of label -1 have none.
        num_classes: Number of classes.
        domains: Names of the domains, in the order of their codes.
        say: Is told in a line what each phase came to.
        label_sets: The classes of each domain, where not all have all.
    """

    def new_backbone() -> keras.Model:
        precision = precision_policy(config.precision)
        return load_backbone(config.backbone.preset, config.backbone.dropout, precision)

    pseudo_labels, split = None, all_train(tokens)
    task = Task(config, method, tokens, split, num_classes, domains, label_sets)
    record, scores, weights = ScratchRecord(say), None, None
    if method.uses_typicality:
        scores = task_typicality.scores(task, {}, new_backbone, record)
        weights = np.full(len(tokens), np.nan, np.float32)
        weights[task.splits["train"]] = typicality.loss_weights(scores, config.mft)["train"]
        say(f"typicality: mean {np.nanmean(weights):.3f}")
    classifier, _ = phases.meta_fine_tune(task, new_backbone(), record, scores)
    if method.self_trains:
        found = rounds.self_train(task, classifier, new_backbone, record.fit)
        classifier, pseudo_labels = found.model, np.full(len(tokens), UNKNOWN, np.int32)
        say(f"self-training: {len(found.rounds)} of {config.self_train.rounds} rounds kept")
        for last in found.rounds[-1:]:
            pseudo_labels[last.chosen.rows] = last.chosen.labels
    _, own = task.phases
    if own is not None and own.parts != "all":
        adapted, _ = phases.fine_tune_parts(task, classifier, record)
        model = AdaptedModel(classifier.twin(), DomainParts.of(adapted, domains))
        rules = _cross_fitted(task, new_backbone, record)
        return Trained(model, weights, record.history, pseudo_labels, rules)
    copies: dict[str | None, list[np.ndarray]] = {None: classifier.get_weights()}
    if method.fine_tunes:
        tuning = phases.FineTuning(task, classifier)
        for code, domain in enumerate(domains):
            rows = task.splits["train"]
            rows = rows[tokens.domains[rows] == code]
            if len(rows):  # else the meta-learner answers for it, for want of labels
                tuning.run(code, record, rows)
                copies[domain] = classifier.get_weights()
    shared = SharedModel(classifier.twin(), copies, domains)
    rules = _cross_fitted(task, new_backbone, record)
    return Trained(shared, weights, record.history, pseudo_labels, rules)


def _cross_fitted(task: Task, new_backbone: NewBackbone, record: "ScratchRecord") -> AnswerRules:
    """Return the rules of answering that cross-fitting finds, if it is asked for."""
    number, domains = task.config.answers.folds, task.domains
    if number is None:
        return AnswerRules.none(domains)
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for fold, part in enumerate(folds(task, number)):
        held_out = answer_held_out(part, new_backbone, record.of_fold(fold + 1, number))
        for by, answered in held_out.items():
            found.setdefault(by, []).append(answered)
    facts = {}
    for by, parts in found.items():
        rows, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
        codes = task.tokens.labels[rows], task.tokens.domains[rows]
        facts[by] = answers.find(probabilities, *codes, domains, task.config.answers)
    return answers.routed({"models": facts}, task.method, domains)


def train_domain(
    config: Config,
    method: Method,
    tokens: TokenizedTexts,
    model: AdaptedModel,
    domain: str,
    say: Callable[[str], None],
    label_sets: LabelSets | None = None,
) -> AdaptedModel:
    """Train parts of a new domain beside a meta-learner; the others' stay as they are.

    Args:
        config: The recipe that the meta-learner was trained by.
        method: Its method.
        tokens: The new domain's texts, with the model's codes of classes.
        model: The meta-learner and the others' parts; it stays as it is.
        domain: The new domain's name.
        say: Is told in a line what the phase came to.
        label_sets: The classes of the new domain, where it does not have all.
    """
    learner, split = model.parts.grown(model.meta_learner.twin()), all_train(tokens)
    config = phases.for_new_domain(config, len(model.domains))
    task = Task(config, method, tokens, split, learner.num_classes, [domain], label_sets)
    adapted, _ = phases.fine_tune_parts(task, learner, ScratchRecord(say))
    parts = model.parts.with_parts(DomainParts.of(adapted, [domain]))
    return AdaptedModel(model.meta_learner.twin(), parts)


def train_class(
    tokens: TokenizedTexts, domains: Sequence[str], model: AdaptedModel, name: str
) -> AdaptedModel:
    """Teach a model a new class; the logits of the others stay as they are.

    Args:
        tokens: Texts of the new class and of others, with the model's codes of classes.
        domains: `(texts,)`, their domains' names.
        model: It stays as it is.
        name: The new class, by its name in the model.
    """
    tokens, parts = with_domain_codes(tokens, domains, model.domains), model.parts
    learner, rows = model.meta_learner.twin(), np.arange(len(tokens))
    of_class = np.flatnonzero(tokens.labels == parts.num_classes).tolist()
    new = learn_class(parts.beside(learner), [(tokens, rows)], name)
    having = {domains[row] for row in of_class}
    return AdaptedModel(learner.twin(), parts.with_class(new, having))


class ScratchRecord:
    """Runs trainings without leaving anything on disk, and keeps their histories."""

    def __init__(self, say: Callable[[str], None]):
        self.history: dict[str, History] = {}
        self._say = say

    def __call__(
        self, trainer: Trainer, title: str, texts: TrainingTexts, of: int | str | None = None
    ) -> History:
        """Run one training; see `easymft.methods.phases.Record`."""
        with tempfile.TemporaryDirectory(prefix="easymft-") as scratch:
            history = trainer.run(title, texts, Checkpoint(Path(scratch, "checkpoint")))
        self.history[title] = history
        if history:
            first, last = history[0]["loss"], history[-1]["loss"]
            steps = history[-1]["step"]
            self._say(f"{title}: {steps:.0f} steps, loss {first:.3f} to {last:.3f}")
        return history

    def of_fold(self, fold: int, of: int) -> Record:
        """Return a record of a fold's trainings, of which no history is kept."""
        own = ScratchRecord(self._say)
        return lambda trainer, title, texts, domain=None: own(
            trainer, f"{title}, fold {fold} of {of}", texts, domain
        )

    def fit(self, name: str, train: Callable[[Record], Fitted]) -> Fitted:
        """Have a model of self-training trained, under a title of its own; a `rounds.Fit`."""

        def record(
            trainer: Trainer, title: str, texts: TrainingTexts, of: int | str | None = None
        ) -> History:
            return self(trainer, f"{title}, {name}", texts, of)

        return train(record)


@contextlib.contextmanager
def at_work(seed: int, verbose: bool) -> Iterator[None]:
    """Train in the block, alone among all threads, with new layers drawing from `seed`.

    Args:
        seed: See `seeded`.
        verbose: Whether progress is shown.
    """
    # New layers draw their seeds from Python's one generator, whatever the thread.
    with _alone, progress_bars(verbose), seeded(seed):
        yield


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let new Keras layers draw from `seed`, and leave the user's own randomness as it was.

    They seed themselves from Python's generator, which is why `keras.utils.set_random_seed`
    sets it; that function would also reset numpy's and the backend's.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
