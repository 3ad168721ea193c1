"""Metrics that look at each domain by itself."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="easymft")
class DomainMetrics(keras.metrics.Metric):
    """Accuracy and macro-F1 per domain, their averages, and the worst domain's accuracy.

    Keeps one confusion matrix per domain, so all figures come from one pass. A domain without
    texts is left out of averages and minimum; a class that is neither present nor predicted in a
    domain is left out of its macro-F1.

    Args:
        num_domains: Number of domains, K.
        num_classes: Number of classes, M.

    `result()` is a dict of scalars: `average_accuracy`, `worst_domain_accuracy`,
    `average_macro_f1`, and for each domain k with its number: `accuracy_domain_k`,
    `macro_f1_domain_k` (both 0 while the domain has no text).
    """

    def __init__(
        self, num_domains: int, num_classes: int, name: str = "domain_metrics", **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        self.num_domains = num_domains
        self.num_classes = num_classes
        self.confusion = self.add_weight(
            shape=(num_domains, num_classes, num_classes),
            initializer="zeros",
            dtype="float32",
            name="confusion",
        )

    def update_state(self, y_true: Any, y_pred: Any, domain: Any) -> None:
        """Count a batch: `y_true` and `domain` `(batch,)` int, `y_pred` `(batch, M)` logits."""
        label, domain = (ops.reshape(ops.cast(v, "int32"), (-1,)) for v in (y_true, domain))
        guess = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        classes = self.num_classes
        cell = (domain * classes + label) * classes + guess
        counts = ops.sum(
            ops.one_hot(cell, self.num_domains * classes * classes, dtype="float32"), axis=0
        )
        self.confusion.assign_add(ops.reshape(counts, self.confusion.shape))

    def result(self) -> dict[str, Any]:
        confusion = ops.convert_to_tensor(self.confusion)
        hits = ops.diagonal(confusion, axis1=1, axis2=2)
        true, guessed = ops.sum(confusion, axis=2), ops.sum(confusion, axis=1)
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
        for k in range(self.num_domains):
            result[f"accuracy_domain_{k}"] = accuracy[k]
            result[f"macro_f1_domain_{k}"] = macro_f1[k]
        return result

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_domains": self.num_domains,
            "num_classes": self.num_classes,
        }
