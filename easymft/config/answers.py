"""The section about answers that can be acted on."""

from typing import Annotated

from pydantic import Field

from easymft.config.section import Section
from easymft.errors import InputError

Open = Annotated[float, Field(gt=0, lt=1)]


class Answers(Section):
    """What is made of the models' probabilities, by texts that they did not learn from."""

    calibrate: bool = True
    """Divide logits by a temperature, one for each domain, so that a score of 0.9 is right 9 times
    out of 10; which class is answered stays the same."""
    target_accuracy: Open | None = None
    """How many of its answers are to be right: a domain answers from the lowest score on at which
    they are, and abstains below it; where the development texts show no such score it always
    abstains. null: every text is answered."""
    confidence: Open = 0.9
    """How sure `target_accuracy` is to be kept, in each domain."""
    folds: Annotated[int, Field(ge=2, le=20)] | None = None
    """Find all that on the training texts, where few or no texts can be set aside: the method
    trains once more for each fold, without it, and answers it. null: on the development texts."""

    def check_promise(self, has_dev: bool) -> None:
        """Raise `InputError` where answers are to be right as often as nothing can show.

        Args:
            has_dev: Whether development texts are answered.
        """
        if self.target_accuracy is not None and not has_dev and self.folds is None:
            raise InputError(
                "is shown by development texts, and none are answered; set some aside by "
                '`data.split.dev`, and have "dev" in `evaluate_on`; or take `answers.folds` 5',
                field="answers.target_accuracy",
            )
