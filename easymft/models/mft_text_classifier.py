"""The meta-learner."""

from collections.abc import Sequence
from typing import Any, Literal, Self

import keras
from keras import ops

from easymft.layers import DomainCorruptionHead, MaskedMeanPooling
from easymft.layers.checks import check, check_choice
from easymft.layers.domain_corruption_head import CORRUPTIONS
from easymft.layers.removed_arguments import without
from easymft.layers.types import Tensor, Tensors
from easymft.models.backbone import default_corruption_layers, num_layers
from easymft.models.text_classifier import TextClassifier


@keras.saving.register_keras_serializable(package="easymft")
class MFTTextClassifier(TextClassifier):
    """Text classifier meta-fine-tuned across domains: typicality weights and domain corruption.

    In training the loss is

        mean_i(t_i * CE(y_i)) + corruption_weight * mean_{i,l}(t_i * CE(z_il; h_l(x_i) + E_D(k_i)))

    where t, the typicality, comes in as `sample_weight` (absent: all 1), h_l is the text's mean
    token at layer l, E_D(k) a learned embedding of its domain, and z a corrupted domain label
    drawn anew for each text, layer and step. Evaluation and prediction are the plain classifier's.

    `fit` also reports the parts: `label_loss`, the first term; `corruption_loss_layer_l`, the
    second's mean over texts at layer l, before `corruption_weight`; and `mean_weight`, the mean t.

    Args:
        backbone: A keras-hub encoder; see `easymft.models.load_backbone`.
        num_classes: Number of classes.
        num_domains: Number of domains, K.
        corruption_weight: lambda. With 0 there are no corruption heads.
        corruption_layers: Encoder layers, from 0, with a corruption head. `None`: every third.
        corruption: How z is drawn: `"uniform"`, `"shuffle"` or `"other"`; see
            `DomainCorruptionHead`.
        shared_corruption_head: One head and domain embedding for all layers.
        weighted_corruption: Whether typicality weights the corruption loss too.
        corruption_pools_padding: Average padding too in h_l, as EasyTransfer does.
        corruption_in_evaluation: Add the corruption loss to the evaluation loss.
        seed: Seed of the corrupted labels, and of what `TextClassifier` draws.
        **kwargs: See `TextClassifier`: `embedding`, `dropout`, `loss_normalization`, `labels`.

    Example:
    ```python
    model = MFTTextClassifier.from_preset("bert_base_en_uncased", num_classes=2, num_domains=4)
    model.adapt({"text": texts, "domain": domains}, labels)  # their typicality, which `fit` uses
    model.fit({"text": texts, "domain": domains}, labels, epochs=3)
    ```

    Reference: Wang, Qiu, Huang, He: Meta Fine-Tuning Neural Language Models for Multi-Domain Text
    Mining, EMNLP 2020. The total is the usual sum of the two losses; z is not fixed there.
    """

    num_domains: int
    training_name = "meta fine-tuning"

    def __init__(
        self,
        backbone: keras.Model,
        num_classes: int,
        num_domains: int,
        corruption_weight: float = 0.1,
        corruption_layers: Sequence[int] | None = None,
        corruption: Literal["uniform", "shuffle", "other"] = "uniform",
        shared_corruption_head: bool = False,
        weighted_corruption: bool = True,
        corruption_pools_padding: bool = False,
        corruption_in_evaluation: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        # === Checks ===
        check(corruption_weight >= 0, "corruption_weight", "at least 0", corruption_weight)
        check_choice("corruption", corruption, CORRUPTIONS)
        if corruption_layers is None:
            corruption_layers = default_corruption_layers(num_layers(backbone))

        # === Layers ===
        # Set before the base class asks `_hidden_layers` which outputs the encoder must give.
        self._requested_layers = tuple(corruption_layers) if corruption_weight else ()
        super().__init__(backbone, num_classes, num_domains, seed=seed, **kwargs)
        layers = self._requested_layers
        self.hidden_pooling = MaskedMeanPooling(dtype="float32", name="hidden_pooling")
        self.corruption_heads = [
            # Heads that share a seed would corrupt all layers alike.
            _new_head(self, index, corruption, seed=None if seed is None else seed + index)
            for index in range(min(len(layers), 1) if shared_corruption_head else len(layers))
        ]
        self.mean_weight = keras.metrics.Mean("mean_weight")
        self.corruption_means = [keras.metrics.Mean(f"corruption_loss_layer_{n}") for n in layers]

        # === Config ===
        self.corruption_weight = float(corruption_weight)
        self.corruption_layers = tuple(corruption_layers)
        self.corruption = corruption
        self.shared_corruption_head = shared_corruption_head
        self.weighted_corruption = weighted_corruption
        self.corruption_pools_padding = corruption_pools_padding
        self.corruption_in_evaluation = corruption_in_evaluation
        self._evaluating = False

    def _hidden_layers(self, backbone: keras.Model) -> tuple[int, ...]:
        return self._requested_layers

    def without_heads(self) -> TextClassifier:
        """Return a plain classifier of the same weights, without what only training has."""
        return TextClassifier.from_classifier(self)

    def call(self, inputs: Tensors, training: bool | None = None) -> Tensors:
        encoded = self.encode(inputs, training)
        embedding = self._embedding(encoded, inputs)
        outputs = {"logits": self._logits(embedding, inputs, training)}
        if self.corruption_heads and (training or self.corruption_in_evaluation):
            # Consumed by `added_loss`; predictions never carry it unless asked for.
            outputs["corruption"] = self._corruption_logits(encoded["hidden"], inputs)
        return outputs

    def _corruption_logits(self, hidden: list[Tensor], inputs: Tensors) -> Tensor:
        """Return the logits of every corruption layer's head: `(batch, layers, domains)`."""
        mask = None if self.corruption_pools_padding else inputs["padding_mask"]
        logits = [
            self._head(index)(self.hidden_pooling(layer, mask=mask), inputs["domain"])
            for index, layer in enumerate(hidden)
        ]
        return ops.stack(logits, axis=1)

    def _head(self, index: int) -> DomainCorruptionHead:
        return self.corruption_heads[index % len(self.corruption_heads)]

    def added_loss(self, x: Tensors, y_pred: Tensors, sample_weight: Tensor | None) -> Tensor:
        ones = ops.ones_like(y_pred["logits"][:, 0])
        self.mean_weight.update_state(ones if sample_weight is None else sample_weight)
        if "corruption" not in y_pred:
            return None
        weight = sample_weight if self.weighted_corruption else None
        losses = self.corruption_losses(y_pred["corruption"], x["domain"], weight)
        for index, mean in enumerate(self.corruption_means):
            mean.update_state(losses[:, index])
        return self.corruption_weight * _Mean(name="corruption")(losses, losses)

    def corruption_losses(
        self, logits: Tensor, domains: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        """Return the terms of L_SDC, t * CE(z) of each text and layer, z drawn anew.

        Args:
            logits: `(batch, layers, domains)` float32.
            domains: `(batch,)` or `(batch, 1)` int32, the true domains.
            sample_weight: `(batch,)` or `(batch, 1)`, or `None` for all 1.

        Returns:
            `(batch, layers)` float32.
        """
        losses = []
        for index in range(logits.shape[1]):
            head = self._head(index)
            losses.append(head.loss(logits[:, index], head.corrupt(domains), sample_weight))
        return ops.stack(losses, axis=1)

    def get_metrics_result(self) -> dict[str, Any]:
        result = super().get_metrics_result()
        layers = [mean.name for mean in self.corruption_means]
        if self._evaluating:
            parts = {self.mean_weight.name, *layers}
            return {name: value for name, value in result.items() if name not in parts}
        corruption = sum(result[name] for name in layers) / max(len(layers), 1)
        # By difference: the compiled loss does not tell its value apart from what is added to it.
        return {**result, "label_loss": result["loss"] - self.corruption_weight * corruption}

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Do as Keras does, without the parts of the loss, which only training has."""
        self._evaluating = True
        try:
            return super().evaluate(*args, **kwargs)
        finally:
            self._evaluating = False

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            corruption_weight=self.corruption_weight,
            corruption_layers=self.corruption_layers,
            corruption=self.corruption,
            shared_corruption_head=self.shared_corruption_head,
            weighted_corruption=self.weighted_corruption,
            corruption_pools_padding=self.corruption_pools_padding,
            corruption_in_evaluation=self.corruption_in_evaluation,
        )
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        config = without(config, {"head_target": "corrupted", "head_speed": 1.0})
        return super().from_config(config, custom_objects)


def _new_head(
    model: MFTTextClassifier, index: int, corruption: str, seed: int | None
) -> DomainCorruptionHead:
    head = DomainCorruptionHead(
        model.num_domains, corruption, seed=seed, name=f"corruption_head_{index}"
    )
    head.build((None, model.backbone.hidden_dim))
    return head


class _Mean(keras.losses.Loss):
    """Mean of given losses. A Keras loss, which scales with the replicas of tf.distribute."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred
