"""Train a method on texts in memory: no run folder, no stages, no test texts."""

import contextlib
import dataclasses
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from easymft.config import Config, Method
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.devices.distribution import precision_policy
from easymft.in_memory.corpus import all_train
from easymft.methods import typicality
from easymft.methods.meta_learner import build_meta_learner
from easymft.methods.trainer import Trainer
from easymft.models import TextClassifier, TextEmbedder, load_backbone
from easymft.models.lora import enable_lora, merged_weights

History = dict[str, list[dict[str, float]]]


@dataclasses.dataclass(frozen=True)
class Trained:
    """What training leaves.

    Attributes:
        model: A classifier that takes any of `weights`.
        weights: Domain -> weights of its own copy; under `None` those of the meta-learner.
        typicality: `(texts,)` float32, the weights that the meta-learner began with; `None`
            where the method has none.
        history: Phase -> what `Trainer.run` returned.
    """

    model: TextClassifier
    weights: dict[str | None, list[np.ndarray]]
    typicality: np.ndarray | None
    history: History


def train(
    config: Config,
    method: Method,
    tokens: TokenizedTexts,
    num_classes: int,
    domains: Sequence[str],
    say: Callable[[str], None],
) -> Trained:
    """Meta fine-tune on all texts, then fine-tune a copy on each domain's, as a run does.

    New layers draw their weights from Python's generator; see `seeded`.

    Args:
        config: A recipe; only what it says of models and training counts.
        method: One that has a meta-learner.
        tokens: The texts.
        num_classes: Number of classes.
        domains: Names of the domains, in the order of their codes.
        say: Is told in a line what each phase came to.
    """
    mixed, own = method.phases(config)
    backbone = load_backbone(
        config.backbone.preset, config.backbone.dropout, precision_policy(config.precision)
    )
    steps = mixed.steps(len(tokens))
    model = build_meta_learner(method, backbone, config, num_classes, len(domains), steps)

    def score() -> np.ndarray:
        layer = typicality.weighting(num_classes, len(domains), config.mft)
        scores = typicality.scores(TextEmbedder(model), tokens, all_train(tokens), layer)
        return typicality.loss_weights(scores, config.mft)["train"]

    typicalities = score() if method.uses_typicality else None
    if typicalities is not None:
        say(f"typicality: mean {typicalities.mean():.3f}")
    anew = method.uses_typicality and config.mft.refresh_typicality
    run = _Phases(tokens, say)
    run(
        "meta fine-tuning",
        Trainer(model, mixed, config.optimizer, config.seed),
        np.arange(len(tokens)),
        score if anew else typicalities,
    )
    classifier = model.without_heads()
    weights: dict[str | None, list[np.ndarray]] = {None: classifier.get_weights()}
    if own is not None:
        if not config.mft.keep_class_head:
            classifier.reset_class_head()
        if own.lora_rank is not None:
            enable_lora(classifier, own.lora_rank)
        start = classifier.get_weights()
        trainer = Trainer(classifier, own, config.optimizer, config.seed)
        for code, domain in enumerate(domains):
            classifier.set_weights(start)
            run(f"fine-tuning {domain}", trainer, np.flatnonzero(tokens.domains == code))
            weights[domain] = merged_weights(classifier)
    # A twin without what only training needs, such as the optimizer's moments.
    twin = type(classifier).from_config(classifier.get_config())
    return Trained(twin, weights, typicalities, run.history)


class _Phases:
    """Runs phases one after another and keeps their histories."""

    def __init__(self, tokens: TokenizedTexts, say: Callable[[str], None]):
        self.history: History = {}
        self._tokens, self._say = tokens, say

    def __call__(
        self,
        name: str,
        trainer: Trainer,
        rows: np.ndarray,
        sample_weight: np.ndarray | Callable[[], np.ndarray] | None = None,
    ) -> None:
        with tempfile.TemporaryDirectory(prefix="easymft-") as scratch:
            checkpoint = Path(scratch, "checkpoint")
            history = trainer.run(name, self._tokens, rows, checkpoint, sample_weight)
        self.history[name] = history
        if history:
            first, last = history[0], history[-1]
            self._say(
                f"{name}: {last['step']:.0f} steps, loss {first['loss']:.3f} to {last['loss']:.3f}"
            )


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
