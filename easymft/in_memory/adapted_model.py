"""One meta-learner and small parts of every domain: a batch may mix the domains it asks about."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from easymft.data.batches.tokenized import TokenizedTexts
from easymft.in_memory.shared_model import with_domain_codes
from easymft.methods.evaluation import class_probabilities
from easymft.models import TextClassifier
from easymft.models.domain_parts import DomainParts


class AdaptedModel:
    """Answers each text with its own domain's parts, as `SharedModel` does with whole copies.

    Threads wait for each other. Copies, by pickle too, have a model and a lock of their own.

    Args:
        meta_learner: Answers for texts of no or of unknown domains; its encoder is frozen.
        parts: Those of the domains.
    """

    def __init__(self, meta_learner: TextClassifier, parts: DomainParts):
        self.meta_learner, self.parts = meta_learner, parts
        self._model, self._lock = parts.beside(meta_learner), threading.Lock()

    @property
    def domains(self) -> list[str]:
        """Return the domains that have parts."""
        return list(self.parts.domains)

    def probabilities(self, tokens: TokenizedTexts, domains: Sequence[str | None]) -> np.ndarray:
        """Return class probabilities; see `SharedModel.probabilities`."""
        asked = with_domain_codes(tokens, domains, self.parts.domains)
        with self._lock:
            return class_probabilities(self._model, "predict", asked, np.arange(len(domains)))

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy is made of; Keras cannot copy a model compiled to predict only."""
        learner = self.meta_learner
        model = type(learner), learner.get_config(), learner.get_weights()
        return {"model": model, "parts": self.parts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the model anew."""
        model_class, config, weights = state["model"]
        learner = model_class.from_config(config)
        learner.set_weights(weights)
        self.__init__(learner, state["parts"])  # type: ignore[misc]
