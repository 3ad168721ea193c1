"""BERT (MTL) of the paper's table."""

from typing import Any

import keras
from keras import ops

from easymft.models.text_classifier import TextClassifier


@keras.saving.register_keras_serializable(package="easymft")
class MultiTaskTextClassifier(TextClassifier):
    """Multi-task text classifier: one encoder for all domains, one class head for each.

    The head of a text's own domain answers for it. Args as for `TextClassifier`; `num_domains`
    is required.
    """

    def _num_logits(self, num_classes: int, num_domains: int | None) -> int:
        if num_domains is None:
            raise ValueError("`num_domains` is required for one head per domain. Received: None")
        return num_classes * num_domains

    def _logits(self, embedding: Any, inputs: dict[str, Any], training: bool | None) -> Any:
        every = super()._logits(embedding, inputs, training)
        every = ops.reshape(every, (-1, self.num_domains, self.num_classes))
        domain = ops.reshape(ops.cast(inputs["domain"], "int32"), (-1, 1, 1))
        return ops.squeeze(ops.take_along_axis(every, domain, axis=1), axis=1)
