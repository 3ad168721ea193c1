"""Before everything that reads texts: the encoder learns from them without their labels."""

from typing import Any

from easymft.data.corpus.parts import UNLABELED, joined_rows
from easymft.methods import adaptation
from easymft.methods.adaptation import ADAPTED
from easymft.runs.run import Run


def adapt(run: Run) -> dict[str, Any]:
    """Train the encoder on hidden tokens of training texts and of texts without labels."""
    data, config = run.data, run.config
    rows = joined_rows(data.splits, ("train", UNLABELED))
    hiding = adaptation.masking(data.preprocessor.tokenizer, config.adapt.mask_rate)
    backbone = run.pretrained()
    history = adaptation.adapt(config, backbone, data.tokens, rows, hiding, run.record)
    run.keep_backbone(backbone)
    run.checkpoint(ADAPTED).discard()
    return {"history": history, "texts": len(rows)}
