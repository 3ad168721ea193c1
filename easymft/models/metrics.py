"""Metrics that look at each domain by itself."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from easymft.layers.codes import codes


@keras.saving.register_keras_serializable(package="easymft")
class DomainMetrics(keras.metrics.Metric):
    """Accuracy and macro-F1 per domain, their averages, and the worst domain's accuracy.

    Keeps for each domain and class how many texts are of it, are taken for it, and both. A text
    whose label or domain is out of range (-1 often stands for an unlabelled text) is left out; a
    domain without texts is left out of averages and minimum; a class that is neither present nor
    predicted in a domain is left out of its macro-F1.

    Args:
        num_domains: Number of domains, K.
        num_classes: Number of classes, M >= 2.

    `result()` is a dict of scalars: `average_accuracy`, `worst_domain_accuracy`,
    `average_macro_f1`, and for each domain k with its number: `accuracy_domain_k`,
    `macro_f1_domain_k` (both 0 while the domain has no text); with its name, `accuracy_books`, once
    `domains` has the names.

    Raises:
        ValueError: `num_classes` is 1: the largest of one logit is always the first, right or not.
    """

    def __init__(
        self, num_domains: int, num_classes: int, name: str = "domain_metrics", **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        if num_classes < 2:
            raise ValueError(
                "`num_classes` must be at least 2 where metrics of domains are kept; two classes "
                f"take two logits and a cross-entropy over both. Received: {num_classes!r}"
            )
        self.num_domains = num_domains
        self.num_classes = num_classes
        self.domains: Sequence[str] | None = None
        self.counts = self.add_weight(
            shape=(3, num_domains, num_classes),
            initializer="zeros",
            dtype="float32",
            name="counts",
        )

    def update_state(self, y_true: Any, y_pred: Any, domain: Any) -> None:
        """Count a batch.

        Args:
            y_true: Classes, `(batch,)` or `(batch, 1)`; or one number for each class, as one-hot
                labels are, of which the largest counts, `(batch, M)`.
            y_pred: Logits, `(batch, M)`.
            domain: Domains, `(batch,)` or `(batch, 1)`.

        Raises:
            ValueError: `y_true` or `domain` has another shape.
        """
        label, labelled = self._labels(ops.convert_to_tensor(y_true))
        domain, inside = codes(domain, self.num_domains, "domain")
        counted = ops.logical_and(labelled, inside)
        guess = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        first = domain * self.num_classes

        def by_cell(classes: Any, texts: Any) -> Any:
            return ops.segment_sum(
                ops.cast(texts, "float32"),
                ops.where(texts, first + classes, 0),
                num_segments=self.num_domains * self.num_classes,
            )

        right = ops.logical_and(counted, ops.equal(label, guess))
        cells = [by_cell(label, right), by_cell(label, counted), by_cell(guess, counted)]
        self.counts.assign_add(ops.reshape(ops.stack(cells), self.counts.shape))

    def _labels(self, y_true: Any) -> tuple[Any, Any]:
        """Return the classes, int32 `(batch,)`, and which of them are some, bool `(batch,)`."""
        if tuple(y_true.shape[1:]) == (self.num_classes,):
            y_true = ops.cast(y_true, "float32")  # booleans have no largest
            return ops.cast(ops.argmax(y_true, axis=-1), "int32"), ops.max(y_true, axis=-1) > 0
        return codes(y_true, self.num_classes, "y_true")

    def result(self) -> dict[str, Any]:
        hits, true, guessed = ops.unstack(ops.convert_to_tensor(self.counts), 3, axis=0)
        total = ops.sum(true, axis=1)
        seen = ops.cast(total > 0, "float32")
        accuracy = ops.sum(hits, axis=1) / ops.maximum(total, 1.0)
        # F1 = 2 TP / (2 TP + FP + FN), whose denominator is true + guessed.
        involved = ops.cast(true + guessed > 0, "float32")
        f1 = 2.0 * hits / ops.maximum(true + guessed, 1.0)
        macro_f1 = ops.sum(f1, axis=1) / ops.maximum(ops.sum(involved, axis=1), 1.0)
        domains = ops.maximum(ops.sum(seen), 1.0)
        worst = ops.min(ops.where(seen > 0, accuracy, 1.0))
        result = {
            "average_accuracy": ops.sum(accuracy * seen) / domains,
            "worst_domain_accuracy": worst * ops.max(seen),
            "average_macro_f1": ops.sum(macro_f1 * seen) / domains,
        }
        # Unstacked at once: a thousand domains would be two thousand slices a step.
        by_domain = (ops.unstack(figures, self.num_domains) for figures in (accuracy, macro_f1))
        names = self.domains or [f"domain_{k}" for k in range(self.num_domains)]
        for name, own_accuracy, own_f1 in zip(names, *by_domain, strict=True):
            result[f"accuracy_{name}"] = own_accuracy
            result[f"macro_f1_{name}"] = own_f1
        return result

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_domains": self.num_domains,
            "num_classes": self.num_classes,
        }
