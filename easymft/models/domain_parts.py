"""The small parts of many domains by name, apart from the meta-learner they stand beside."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from easymft.models.adapted_text_classifier import AdaptedTextClassifier
from easymft.models.text_classifier import TextClassifier

_FACTS = "facts"  # among the tables' names, which all have a slash


@dataclasses.dataclass(frozen=True)
class DomainParts:
    """Tables with a row a domain.

    Attributes:
        kind: `parts`, `rank` and `kernels` of `AdaptedTextClassifier`.
        domains: Names of the domains, in the order of the rows.
        tables: `(domains, ...)` float32 by name, as `AdaptedTextClassifier.tables` gives them.
        label_sets: The classes of each domain, `None` for all.
    """

    kind: dict[str, Any]
    domains: tuple[str, ...]
    tables: dict[str, np.ndarray]
    label_sets: tuple[Sequence[int] | None, ...]

    @classmethod
    def of(cls, model: AdaptedTextClassifier, domains: Sequence[str]) -> "DomainParts":
        """Return the parts of a model whose domains have these names."""
        kind = {"parts": model.parts, "rank": model.rank, "kernels": list(model.kernels)}
        label_sets = tuple(model.label_sets or [None] * len(domains))[: len(domains)]
        return cls(kind, tuple(domains), model.tables(), label_sets)

    def beside(self, meta_learner: TextClassifier) -> AdaptedTextClassifier:
        """Put the parts beside the meta-learner, on its own encoder."""
        sets = self.label_sets if any(own is not None for own in self.label_sets) else None
        model = AdaptedTextClassifier.of_meta_learner(
            meta_learner, len(self.domains), label_sets=sets, **self.kind
        )
        model.set_tables(self.tables)
        return model

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
        facts = json.dumps(
            {"kind": self.kind, "domains": self.domains, "label_sets": self.label_sets}
        )
        with open(path, "wb") as file:
            np.savez(file, **{_FACTS: np.array(facts), **self.tables})  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> "DomainParts":
        """Read what `save` wrote.

        Raises:
            ValueError: It is no such file; or a `KeyError`, `OSError` or `BadZipFile`.
        """
        with np.load(path, allow_pickle=False) as arrays:
            tables = {name: arrays[name] for name in arrays.files}
        facts = json.loads(str(tables.pop(_FACTS)))
        return cls(facts["kind"], tuple(facts["domains"]), tables, tuple(facts["label_sets"]))
