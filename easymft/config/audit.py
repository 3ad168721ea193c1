"""The section about looking for wrong labels."""

from typing import Annotated, Literal

from pydantic import Field

from easymft.config.section import Fraction, Section


class Audit(Section):
    """How `--mode audit` looks at labelled texts."""

    method: Literal["embed", "mix"] = "embed"
    """What answers for the texts that are held out. embed: logistic regressions on the frozen
    encoder, one pass over the texts; mix: an encoder trained for every fold."""
    folds: Annotated[int, Field(ge=2, le=100)] = 5
    """Each text is judged by a model that learned from the other folds."""
    same_text: Fraction = 0.8
    """Share of common runs of three words (Jaccard) from which two texts count as the same."""
