"""Trains as a run does: MFT (Full), weighted by typicality, in batches of similar length."""

import itertools
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np

from tests.benchmarks.worker import Times, serve, timed


def prepare(settings):
    from easymft.devices import start_up

    start_up.start()
    from easymft.config import Optimizer, Phase
    from easymft.config.loading import config_from_dict
    from easymft.devices.machine import precision_policy
    from easymft.in_memory.corpus import all_train
    from easymft.methods import typicality
    from easymft.methods.checkpoint import Checkpoint
    from easymft.methods.trainer import Trainer, TrainingTexts
    from easymft.models import MFTTextClassifier, TextEmbedder, load_backbone, scoring

    mft = config_from_dict({"name": "benchmark"}).mft
    texts, tokens = settings["texts"], tokens_of(settings)
    classes, domains = texts["num_classes"], texts["num_domains"]
    backbone = load_backbone(settings["preset"], dtype=precision_policy(settings["precision"]))
    model = MFTTextClassifier(backbone, classes, domains, seed=1)
    layer = typicality.weighting(classes, domains, mft)
    scores = scoring.scores(TextEmbedder(model), tokens, all_train(tokens), layer)
    weights = typicality.loss_weights(scores, mft)["train"]
    phase = Phase(epochs=1, batch_size=settings["batch"], validation_freq=0)
    trainer, numbers = Trainer(model, phase, Optimizer(), seed=1), itertools.count()
    scratch = tempfile.mkdtemp(prefix="easymft-")

    def one_round() -> Times:
        name, checkpoint = f"round {next(numbers)}", Checkpoint(Path(scratch, "checkpoint"))
        rows = TrainingTexts(tokens, np.arange(len(tokens)), weights)
        # A round stands for a part of a large corpus' epoch, and is shorter than a window there.
        with mock.patch("easymft.data.batches.batches.LEAST_WINDOWS", 1):
            return timed(settings["name"], lambda: trainer.run(name, rows, checkpoint))

    return one_round


def tokens_of(settings):
    """The texts' tokens, in memory; a run finds them in its cache."""
    import dataclasses

    from easymft.data.batches.tokenized import tokenized
    from easymft.in_memory.corpus import labelled
    from easymft.models import load_preprocessor

    texts = settings["texts"]
    roles = ("text", "label", "domain", "text_pair")
    corpus = labelled({role: texts[role] for role in roles if texts[role] is not None})
    preprocessor = load_preprocessor(settings["preset"], settings["length"])
    with tokenized(corpus, preprocessor) as tokens:
        names = [field.name for field in dataclasses.fields(tokens)]
        arrays = {name: getattr(tokens, name) for name in names}
        copies = {k: np.array(v) if isinstance(v, np.ndarray) else v for k, v in arrays.items()}
        return type(tokens)(**copies)


if __name__ == "__main__":
    serve(prepare)
