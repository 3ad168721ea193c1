"""What makes a model as sure as it is right, and lets it abstain: texts that `fit` did not see."""

from typing import Any

import keras
import numpy as np

from easymft.errors import InputError
from easymft.models import raw_texts
from easymft.models.answer_rules import AnswerRules, find_rules
from easymft.models.text_answers import TextAnswers

_STORED = "answer_rules"


class CalibratedAnswers(TextAnswers):
    """A model that answers texts, and can be calibrated; see `calibrate`."""

    def calibrate(
        self,
        x: Any,
        y: Any = None,
        *,
        target_accuracy: float | None = None,
        confidence: float = 0.9,
        batch_size: int | None = None,
    ) -> dict[str, Any]:
        """Find a temperature for each domain, on texts that the model has not learned from.

        `predict` and `classify` divide logits by them from then on, and so do saved models and
        exports; which class is the likeliest stays the same. With `target_accuracy` exports also
        abstain where the model is not sure enough. `fit` forgets it all.

        Args:
            x: Texts with their domains, as `fit` takes them.
            y: Their classes.
            target_accuracy: How many of a domain's answers are to be right.
            confidence: How sure that is to be kept.
            batch_size: Texts at a time.

        Returns:
            What was found; see `easymft.models.answer_rules.find_rules`.

        Raises:
            InputError: A text, class or domain cannot be used, or a share is not in (0, 1).
        """
        for name, share in (("target_accuracy", target_accuracy), ("confidence", confidence)):
            if share is not None and not 0 < share < 1:
                raise InputError(f"must be in (0, 1). Received: {share}", field=name)
        given, self.rules = raw_texts.read(x, y), None
        raw, labels, codes = self._answered(given, True, batch_size)
        domains = self._reader.domains.every_name()
        facts = find_rules(
            *(raw, labels, codes, domains), target_accuracy=target_accuracy, confidence=confidence
        )
        self.rules = AnswerRules.of_facts(facts)
        return facts

    def _ruled(self, probabilities: np.ndarray, codes: np.ndarray) -> np.ndarray:
        if self.rules is None:
            return probabilities
        return keras.ops.convert_to_numpy(self.rules.calibrated(probabilities, codes))

    def save_own_variables(self, store: Any) -> None:
        """Save temperatures and thresholds too."""
        super().save_own_variables(store)
        if self.rules is not None:
            store[_STORED] = np.stack([self.rules.temperatures, self.rules.thresholds])

    def load_own_variables(self, store: Any) -> None:
        own = {name: store[name] for name in store.keys()}  # noqa: SIM118 (not a dict)
        rules = own.pop(_STORED, None)
        super().load_own_variables(own)
        self.rules = None
        if rules is not None:
            domains = tuple(self._reader.domains.every_name())
            self.rules = AnswerRules(domains, *np.array(rules, np.float32))
