"""BERT (Adv) of the paper's table."""

from typing import Any

import keras
from keras import ops

from easymft.layers import GradientReversal
from easymft.layers.checks import check_integer
from easymft.layers.types import Tensor, Tensors
from easymft.models.text_classifier import TextClassifier


@keras.saving.register_keras_serializable(package="easymft")
class AdversarialTextClassifier(TextClassifier):
    """Text classifier whose encoder is trained against a domain classifier.

    A domain classifier reads the text embedding through a gradient reversal: it learns to tell
    domains apart while the encoder learns to prevent it. The reversal's strength rises to
    `strength` over `ramp_steps` training steps p = 0..1 as 2 / (1 + exp(-10 p)) - 1 of it, so that
    the classifier has learned something before the encoder fights it.

    Args:
        backbone: A keras-hub encoder; see `easymft.models.load_backbone`.
        num_classes: Number of classes.
        num_domains: Number of domains.
        ramp_steps: Training steps until the reversal has full strength; 0: from the start.
        strength: Full strength, float >= 0. The domain loss has no upper bound, so an encoder
            that learns faster than the domain classifier raises it instead of hiding the domains,
            and forgets the classes; less strength keeps it from that.
        **kwargs: See `TextClassifier`: `embedding`, `dropout`, `loss_normalization`.

    Reference: Ganin, Lempitsky: Unsupervised Domain Adaptation by Backpropagation, ICML 2015.
    """

    num_domains: int

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        num_domains: int,
        ramp_steps: int = 0,
        strength: float = 1.0,
        **kwargs: Any,
    ):
        check_integer("ramp_steps", ramp_steps, least=0)
        super().__init__(backbone, num_classes, num_domains, **kwargs)
        self.ramp_steps = ramp_steps
        self.strength = strength
        # In the graph rather than in a callback: the same on every backend, saved with the rest.
        self.steps = self.add_weight(
            shape=(), initializer="zeros", dtype="float32", trainable=False, name="ramp_step"
        )
        self.reversal = GradientReversal(strength, dtype="float32", name="reversal")
        self.reversal.build((None, backbone.hidden_dim))
        self.domain_head = keras.layers.Dense(num_domains, dtype="float32", name="domain_head")
        self.domain_head.build((None, backbone.hidden_dim))

    def without_heads(self) -> TextClassifier:
        """Return a plain classifier of the same weights, without what only training has."""
        return TextClassifier.from_classifier(self)

    def call(self, inputs: Tensors, training: bool | None = None) -> Tensors:
        embedding = self.embed(inputs, training)
        outputs = {"logits": self._logits(embedding, inputs, training)}
        if training:
            reversed_embedding = self.reversal(embedding, strength=self._strength())
            outputs["domain_logits"] = self.domain_head(reversed_embedding)
            self.steps.assign_add(1.0)
        return outputs

    def _strength(self) -> Tensor:
        if not self.ramp_steps:
            return ops.full((), self.strength)
        progress = ops.minimum(ops.convert_to_tensor(self.steps) / self.ramp_steps, 1.0)
        return self.strength * (2.0 / (1.0 + ops.exp(-10.0 * progress)) - 1.0)

    def added_loss(self, x: Tensors, y_pred: Tensors, sample_weight: Tensor | None) -> Tensor:
        if "domain_logits" not in y_pred:
            return None
        domain_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return domain_loss(x["domain"], y_pred["domain_logits"])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ramp_steps": self.ramp_steps,
            "strength": self.strength,
        }
