"""The section about the encoder's own training on texts, whose labels it does not ask for."""

from typing import Annotated

from pydantic import Field

from easymft.config.section import Count, Positive, Section
from easymft.config.training import Phase


class Adapt(Section):
    """Before everything else: the encoder learns to tell hidden tokens of all domains' texts.

    It reads training texts and texts without labels, never dev or test texts; whatever comes later
    begins with the encoder so adapted.
    """

    epochs: Annotated[int, Field(ge=0)] = 0
    """Passes over all these texts; 0: the encoder stays as it was pre-trained."""
    learning_rate: Positive = 5e-5
    """Peak of the learning rate."""
    batch_size: Count = 32
    """Texts per step."""
    gradient_accumulation_steps: Count = 1
    """Parts that a step's texts are computed in, as in the other phases."""
    mask_rate: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Share of a text's tokens to tell. Of these 80 % are hidden, 10 % replaced, 10 % stay."""

    def phase(self) -> Phase:
        """Return the training phase that these settings amount to."""
        own = self.model_dump(exclude={"mask_rate"})
        return Phase(validation_freq=0, **own)
