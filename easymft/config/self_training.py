"""The section about learning from texts without labels."""

from typing import Annotated, Literal

from pydantic import Field

from easymft.config.section import Count, Section


class SelfTraining(Section):
    """Rounds of labelling texts that have no label, choosing some, and training a fresh encoder."""

    rounds: Count = 1
    """Rounds at most; every one labels all unlabelled texts anew, with the model before it."""
    choose_by: Literal["typicality", "confidence"] = "typicality"
    """What the texts chosen are sure by. confidence: the class's probability. typicality: how much
    more typical they are of their class than of any other, in the fine-tuned encoder."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of each domain's unlabelled texts that is chosen; its classes stand to each other as
    among the labelled texts."""
    labeled_repeats: Count = 3
    """How often an epoch of a round sees each labelled text."""
    epochs: Count = 2
    """Passes of a round over labelled and chosen texts."""
    targets: Literal["hard", "soft"] = "hard"
    """What a chosen text is taught. hard: its most probable class. soft: the probabilities of all
    classes, by cross-entropy with them."""
    weight_by: Literal["none", "typicality", "confidence"] = "none"
    """What a chosen text counts by in the loss, at a mean of 1: how typical it is of its class, or
    how probable that is. For mix_self; mft_self weights all its texts by typicality."""
    gate: Literal["cross_fit", "dev", "none"] = "cross_fit"
    """Drop a round, and those after it, that gets no more labelled texts right than what it began
    with. cross_fit: of the training texts, in folds that the models compared never saw. dev: of the
    development texts. none: keep all rounds."""
    folds: Annotated[int, Field(ge=2, le=20)] = 2
    """Folds of gate cross_fit; each costs the rounds once more."""
