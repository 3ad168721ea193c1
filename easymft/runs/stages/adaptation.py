"""Before everything that reads texts: the encoder learns from them without their labels."""

import shutil
from typing import Any

import numpy as np

from easymft import files
from easymft.data.corpus.parts import UNLABELED, joined_rows
from easymft.methods import adaptation
from easymft.methods.adaptation import ADAPTED
from easymft.runs.run import Run

_READ = ("train", UNLABELED)


def adapt(run: Run) -> dict[str, Any]:
    """Train the encoder on hidden tokens of training texts and of texts without labels."""
    if run.adapted_by is not None and _reads_the_same(run, run.adapted_by):
        return _taken_over(run, run.adapted_by)
    data, config = run.data, run.config
    rows = joined_rows(data.splits, _READ)
    hiding = adaptation.masking(data.preprocessor.tokenizer, config.adapt.mask_rate)
    backbone = run.pretrained()
    history = adaptation.adapt(config, backbone, data.tokens, rows, hiding, run.record)
    run.keep_backbone(backbone)
    run.checkpoint(ADAPTED).discard()
    return {"history": history, "texts": len(rows)}


def _reads_the_same(run: Run, other: Run) -> bool:
    """Return whether two runs of the same settings also have the same texts."""
    if other.folder.facts("validate")["fingerprint"] != run.data.fingerprint:
        return False
    own, others = (joined_rows(one.data.splits, _READ) for one in (run, other))
    return np.array_equal(own, others)


def _taken_over(run: Run, other: Run) -> dict[str, Any]:
    """Copy the encoder that another run has adapted; return its facts."""
    with files.staged(run.folder.adapted) as path:
        shutil.copyfile(other.folder.adapted, path)
    facts = other.folder.facts("adapt")
    source = facts.get("taken_from", str(other.folder.path))
    return {**{name: facts[name] for name in ("history", "texts")}, "taken_from": source}
