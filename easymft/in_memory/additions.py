"""Domains and classes that come and go after `fit`, in a classifier with small parts of domains."""

from typing import Any, Self

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from easymft.config import METHODS
from easymft.data.batches.tokenized import tokenized
from easymft.data.corpus.label_sets import of_new_domain
from easymft.data.corpus.rows import to_name
from easymft.data.corpus.schema import Corpus
from easymft.errors import InputError, listed
from easymft.in_memory.adapted_model import AdaptedModel
from easymft.in_memory.corpus import labelled
from easymft.in_memory.estimator_input import (
    UNNAMED,
    check_known_classes,
    check_of_one_domain,
    class_labels,
    text_columns,
    with_classes,
)
from easymft.in_memory.parameters import config_of
from easymft.in_memory.shared_model import SharedModel
from easymft.in_memory.training import at_work, train_class, train_domain
from easymft.models.answer_rules import AnswerRules


class Additions:
    """What `MFTClassifier` can be taught after `fit`, and forget."""

    # Of `MFTClassifier`.
    classes_: np.ndarray
    domains_: np.ndarray
    pairs_: bool
    preprocessor_: Any
    model_: SharedModel | AdaptedModel
    rules_: AnswerRules
    verbose: int
    get_params: Any
    _say: Any

    def add_domain(self, X: Any, y: Any, name: str) -> Self:  # noqa: N803
        """Train small parts of a new domain beside the meta-learner; other answers stay the same.

        Needs `settings={"fine_tune.parts": "lora"}` (or `"bias"`, `"head"`) in `fit`.

        Args:
            X: Texts as of the class, all of the new domain.
            y: Their classes, among those of `classes_`.
            name: The new domain, by which `predict` is then asked.

        Raises:
            InputError: A value cannot be used, or domains have whole copies.
        """
        model, plain = self._with_parts(), to_name(name)
        if plain is None or plain in model.domains:
            message = f"must name a domain that `fit` did not have. Received: {name!r}"
            raise InputError(message, field="name")
        corpus = self._read(X, y, self._in_order_of_codes(), plain)
        config = config_of(self.get_params())
        rows = np.arange(len(corpus))
        sets = of_new_domain(config.data.label_sets, corpus, rows, "label_sets")
        with (
            at_work(config.seed, bool(self.verbose)),
            tokenized(corpus, self.preprocessor_) as tokens,
        ):
            method = METHODS[config.method]
            self.model_ = train_domain(config, method, tokens, model, plain, self._say, sets)
        self.domains_ = np.array(self.model_.domains, dtype=object)
        return self

    def remove_domain(self, name: str) -> Self:
        """Forget a domain's parts; the meta-learner then answers for it.

        Raises:
            InputError: There is no such domain, or no other, or domains have whole copies.
        """
        model = self._with_parts()
        plain = to_name(name)
        if plain not in model.domains or len(model.domains) == 1:
            found = f"{listed(model.domains)}, of which one stays. Received: {name!r}"
            raise InputError(f"must be one of {found}", field="name")
        self.model_ = AdaptedModel(model.meta_learner, model.parts.without(plain))
        self.domains_ = np.array(self.model_.domains, dtype=object)
        self.rules_ = self.rules_.of_domains(self.model_.domains)
        return self

    def add_class(self, X: Any, y: Any, name: Any) -> Self:  # noqa: N803
        """Teach the classifier a new class; the logits of the others stay the same.

        Needs small parts, as `add_domain` does. The new class's weights are for all domains.

        Args:
            X: Texts as of the class, of any domain.
            y: Their classes: the new one, and others that it is to be told from.
            name: The new class.

        Raises:
            InputError: A value cannot be used, there are no texts of the new class or none of
                others, or domains have whole copies.
        """
        model, plain, known = self._with_parts(), to_name(name), self._in_order_of_codes()
        new = np.array([plain if isinstance(name, str) else name])
        if (
            plain in (None, *map(to_name, known.tolist()))
            or new.dtype.kind != known.dtype.kind
            or new.ndim != 1
        ):
            message = f"must be a further class, written like {listed(known.tolist())}"
            raise InputError(f"{message}. Received: {name!r}", field="name")
        every = np.concatenate([known, new])
        corpus = self._read(X, y, every)
        of_class = corpus.codes("label") == len(known)
        if of_class.all() or not of_class.any():
            message = f"must hold {name!r} and classes that it is to be told from"
            raise InputError(message, field="y")
        domains = [corpus.domains[code] for code in corpus.codes("domain")]
        with (
            at_work(config_of(self.get_params()).seed, bool(self.verbose)),
            tokenized(corpus, self.preprocessor_) as tokens,
        ):
            self.model_ = train_class(tokens, domains, model, corpus.labels[-1])
        self.classes_ = np.sort(every)
        return self

    def remove_class(self, name: Any) -> Self:
        """Forget a class that was added.

        Raises:
            InputError: It was not added.
        """
        model = self._with_parts()
        plain, added = to_name(name), model.parts.new_labels
        if plain not in added:
            message = f"must be a class that was added ({listed(added)}). Received: {name!r}"
            raise InputError(message, field="name")
        names = np.array([to_name(value) for value in self.classes_.tolist()])
        self.model_ = AdaptedModel(model.meta_learner, model.parts.without_class(plain))
        self.classes_ = self.classes_[names != plain]
        return self

    def _with_parts(self) -> AdaptedModel:
        check_is_fitted(self)
        if not isinstance(self.model_, AdaptedModel):
            raise InputError(
                'needs small parts; fit with settings={"fine_tune.parts": "lora"} and two domains',
                field="settings",
            )
        return self.model_

    def _read(
        self,
        X: Any,  # noqa: N803
        y: Any,
        classes: np.ndarray,
        domain: str | None = None,
    ) -> Corpus:
        """Return labelled texts with codes by `classes`, perhaps all of one domain."""
        columns, labels = text_columns(X), class_labels(y)
        check_consistent_length(columns["text"], labels)
        domains = columns.pop("domain", [domain or UNNAMED] * len(labels))
        if domain is not None:
            check_of_one_domain(domains, domain)
            domains = [domain] * len(labels)
        check_known_classes(labels, classes)
        named = {**columns, "label": labels.tolist(), "domain": domains}
        corpus = with_classes(labelled(named, label_field="y"), classes)
        if corpus.is_pair != self.pairs_:
            raise InputError("must hold texts or pairs of them, as in `fit`", field="X")
        return corpus

    def _in_order_of_codes(self) -> np.ndarray:
        """Return the classes in the order of the model's codes, those that came later last."""
        return self.classes_[np.argsort(self._sorted())]

    def _sorted(self) -> np.ndarray:
        """Return the codes of `classes_`, which is sorted whenever its classes came."""
        added = self.model_.parts.new_labels if isinstance(self.model_, AdaptedModel) else ()
        first = len(self.classes_) - len(added)
        names = [to_name(value) for value in self.classes_.tolist()]
        codes = iter(range(first))
        return np.array([first + added.index(n) if n in added else next(codes) for n in names], int)
