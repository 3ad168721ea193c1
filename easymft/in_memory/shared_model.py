"""One Keras model for all domains: each answers with weights of its own."""

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.schema import UNKNOWN
from easymft.methods.evaluation import class_probabilities
from easymft.models import TextClassifier

Weights = list[np.ndarray]


class SharedModel:
    """A classifier that takes a domain's weights when it is asked about that domain.

    Threads wait for each other, since it holds the weights of one domain at a time. Copies, by
    pickle too, have a model and a lock of their own.

    Args:
        model: A classifier that takes any of `weights`.
        weights: Domain -> weights of its own copy; under None those of the meta-learner.
        names: Names of the domains, in the order of their codes: a model that knows the classes of
            each asks for a text's.
    """

    def __init__(
        self,
        model: TextClassifier,
        weights: Mapping[str | None, Weights],
        names: Sequence[str] = (),
    ):
        self._model, self._weights, self.names = model, dict(weights), tuple(names)
        self._lock = threading.Lock()

    @property
    def domains(self) -> list[str]:
        """Return the domains that have weights of their own."""
        return [domain for domain in self._weights if domain is not None]

    @contextlib.contextmanager
    def holding(self, domain: str | None) -> Iterator[TextClassifier]:
        """Yield the model with a domain's weights; until the block ends no thread changes them.

        Args:
            domain: One of `domains`, or None for the meta-learner.
        """
        with self._lock:
            self._model.set_weights(self._weights[domain])
            yield self._model

    def probabilities(self, tokens: TokenizedTexts, domains: Sequence[str | None]) -> np.ndarray:
        """Return class probabilities, `(texts, classes)` float32.

        Args:
            tokens: The texts.
            domains: `(texts,)`; the meta-learner answers for None and for unknown names.
        """
        tokens = with_domain_codes(tokens, domains, self.names)
        asked: dict[str | None, list[int]] = {}
        for row, domain in enumerate(domains):
            asked.setdefault(domain if domain in self._weights else None, []).append(row)
        parts = []
        for domain, rows in asked.items():
            with self.holding(domain) as model:
                parts.append(class_probabilities(model, "predict", tokens, np.array(rows)))
        order = np.concatenate(list(asked.values()))
        return np.concatenate(parts)[np.argsort(order)]

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy is made of; Keras cannot copy a model compiled to predict only."""
        model = type(self._model), self._model.get_config()
        return {"model": model, "weights": self._weights, "names": self.names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the model anew, without weights: it gets those of the domain that is asked."""
        model_class, config = state["model"]
        self._model, self._weights = model_class.from_config(config), state["weights"]
        self.names, self._lock = state["names"], threading.Lock()


def with_domain_codes(
    tokens: TokenizedTexts, domains: Sequence[str | None], names: Sequence[str]
) -> TokenizedTexts:
    """Return texts with the codes of their domains, -1 for None and unknown names.

    Args:
        tokens: The texts.
        domains: `(texts,)`, their domains.
        names: The known domains, in the order of their codes.
    """
    places: dict[str | None, int] = {name: code for code, name in enumerate(names)}
    codes = np.array([places.get(name, UNKNOWN) for name in domains], np.int32)
    return dataclasses.replace(tokens, domains=codes)
