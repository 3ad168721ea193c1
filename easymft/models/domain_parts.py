"""The small parts of many domains by name, apart from the meta-learner they stand beside."""

import dataclasses
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from easymft.models.adapted_text_classifier import AdaptedTextClassifier
from easymft.models.new_classes import NewClasses
from easymft.models.text_classifier import TextClassifier

_HEAD = "head/kernels"  # a table that all kinds of parts have
# Among the tables' names, which all have a slash.
_FACTS, _KERNEL, _BIAS = "facts", "new_kernel", "new_bias"


@dataclasses.dataclass(frozen=True)
class DomainParts:
    """Tables with a row a domain.

    Attributes:
        kind: `parts`, `rank` and `kernels` of `AdaptedTextClassifier`.
        domains: Names of the domains, in the order of the rows.
        tables: `(domains, ...)` float32 by name, as `AdaptedTextClassifier.tables` gives them.
        label_sets: The classes of each domain, `None` for all.
        new_classes: Those that came after training, if any.
    """

    kind: dict[str, Any]
    domains: tuple[str, ...]
    tables: dict[str, np.ndarray]
    label_sets: tuple[Sequence[int] | None, ...]
    new_classes: NewClasses | None = None

    @classmethod
    def of(cls, model: AdaptedTextClassifier, domains: Sequence[str]) -> "DomainParts":
        """Return the parts of a model whose domains have these names."""
        kind = {"parts": model.parts, "rank": model.rank, "kernels": list(model.kernels)}
        label_sets = tuple(model.label_sets or [None] * len(domains))[: len(domains)]
        return cls(kind, tuple(domains), model.tables(), label_sets)

    def beside(self, meta_learner: TextClassifier) -> AdaptedTextClassifier:
        """Put parts and new classes beside the meta-learner, on its own encoder."""
        meta_learner = self.grown(meta_learner)
        sets = self.label_sets if any(own is not None for own in self.label_sets) else None
        model = AdaptedTextClassifier.of_meta_learner(
            meta_learner, len(self.domains), label_sets=sets, **self.kind
        )
        model.set_tables(self.tables)
        return model

    def grown(self, meta_learner: TextClassifier) -> TextClassifier:
        """Return the meta-learner with the new classes, if any, on its own encoder."""
        return meta_learner if self.new_classes is None else self.new_classes.beside(meta_learner)

    @property
    def num_classes(self) -> int:
        """Return how many classes there are, with the new ones."""
        return self.tables[_HEAD].shape[-1] + len(self.new_labels)

    @property
    def new_labels(self) -> tuple[str, ...]:
        """Return the names of the new classes."""
        return () if self.new_classes is None else self.new_classes.names

    def with_class(self, new: NewClasses, domains: Collection[str]) -> "DomainParts":
        """Return the same with one more class.

        Args:
            new: The class.
            domains: Which have it, of those that do not have all classes.
        """
        sets = (
            own if own is None or name not in domains else [*own, self.num_classes]
            for name, own in zip(self.domains, self.label_sets, strict=True)
        )
        both = new if self.new_classes is None else self.new_classes.followed_by(new)
        return dataclasses.replace(self, label_sets=tuple(sets), new_classes=both)

    def without_class(self, name: str) -> "DomainParts":
        """Return the same without a new class; a domain that had no other then has all."""
        new = self.new_classes
        if new is None:
            return self
        code = self.num_classes - len(new.names) + new.names.index(name)
        sets = (
            None if own is None else [c - (c > code) for c in own if c != code] or None
            for own in self.label_sets
        )
        return dataclasses.replace(self, label_sets=tuple(sets), new_classes=new.without(name))

    def as_trained(self, domains: Sequence[str]) -> "DomainParts":
        """Return the parts of these domains, without what was added in the way of classes."""
        parts = self.of_domains(domains)
        for name in self.new_labels:
            parts = parts.without_class(name)
        return parts

    def of_domains(self, domains: Sequence[str]) -> "DomainParts":
        """Return the parts of these domains, in this order; zeros, which add nothing, for others.

        The rows of a domain are the same numbers wherever they stand.
        """
        places = [self.domains.index(name) if name in self.domains else -1 for name in domains]
        tables = {
            name: np.concatenate([table, np.zeros((1, *table.shape[1:]), table.dtype)])[places]
            for name, table in self.tables.items()
        }
        sets = tuple(None if place < 0 else self.label_sets[place] for place in places)
        return dataclasses.replace(self, domains=tuple(domains), tables=tables, label_sets=sets)

    def with_parts(self, other: "DomainParts") -> "DomainParts":
        """Return these parts and, after them, those of domains that are not here yet."""
        tables = {
            name: np.concatenate([table, other.tables[name]]) for name, table in self.tables.items()
        }
        domains = (*self.domains, *other.domains)
        sets = (*self.label_sets, *other.label_sets)
        return dataclasses.replace(self, domains=domains, tables=tables, label_sets=sets)

    def without(self, domain: str) -> "DomainParts":
        """Return the parts of the others."""
        return self.of_domains([name for name in self.domains if name != domain])

    def save(self, path: Path) -> None:
        """Write the parts into an .npz file, without pickle."""
        facts = {name: getattr(self, name) for name in ("kind", "domains", "label_sets")}
        arrays = dict(self.tables)
        if (new := self.new_classes) is not None:
            facts["new_labels"] = new.names
            arrays |= {_KERNEL: new.kernel, _BIAS: new.bias}
        with open(path, "wb") as file:
            np.savez(file, **{_FACTS: np.array(json.dumps(facts)), **arrays})  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> "DomainParts":
        """Read what `save` wrote.

        Raises:
            ValueError: It is no such file; or a `KeyError`, `OSError` or `BadZipFile`.
        """
        with np.load(path, allow_pickle=False) as arrays:
            tables = {name: arrays[name] for name in arrays.files}
        facts, new = json.loads(str(tables.pop(_FACTS))), None
        if "new_labels" in facts:
            names = tuple(facts["new_labels"])
            new = NewClasses(names, tables.pop(_KERNEL), tables.pop(_BIAS))
        domains, sets = tuple(facts["domains"]), tuple(facts["label_sets"])
        return cls(facts["kind"], domains, tables, sets, new)
