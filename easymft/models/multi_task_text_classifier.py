"""BERT (MTL) of the paper's table."""

import keras
from keras import ops

from easymft.layers.codes import codes
from easymft.layers.types import Tensor, Tensors
from easymft.models.text_classifier import TextClassifier


@keras.saving.register_keras_serializable(package="easymft")
class MultiTaskTextClassifier(TextClassifier):
    """Multi-task text classifier: one encoder for all domains, one class head for each.

    The head of a text's own domain answers for it; where there is none, for a domain out of range,
    the logits are nan. Args as for `TextClassifier`; `num_domains` is required.
    """

    num_domains: int
    answers_any_domain = False

    def _num_logits(self, num_classes: int, num_domains: int | None) -> int:
        if num_domains is None:
            raise ValueError("`num_domains` is required for one head per domain. Received: None")
        return num_classes * num_domains

    def _every_logit(self, embedding: Tensor, inputs: Tensors, training: bool | None) -> Tensor:
        every = super()._every_logit(embedding, inputs, training)
        every = ops.reshape(every, (-1, self.num_domains, self.num_classes))
        domain, inside = codes(inputs["domain"], self.num_domains, "domain")
        index = ops.where(inside, domain, 0)[:, None, None]
        own = ops.squeeze(ops.take_along_axis(every, index, axis=1), axis=1)
        return ops.where(inside[:, None], own, float("nan"))
