"""What an encoder learns from texts without labels: to tell hidden tokens."""

from typing import Any, Self

import keras
import keras_hub
from keras import ops

from easymft.devices import replicas
from easymft.errors import InputError
from easymft.layers.types import Tensor, Tensors
from easymft.models.backbone import encoder
from easymft.models.seeded_model import SeededModel

# Keras took the layer over from keras-hub, whose own is now made of it.
_READS_BACK = getattr(keras.layers, "ReversibleEmbedding", keras_hub.layers.ReversibleEmbedding)


@keras.saving.register_keras_serializable(package="easymft")
class MaskedLanguageModel(SeededModel):
    """Masked language model: tells the tokens at chosen positions, `(batch, slots, vocabulary)`.

    Inputs are those of `TextClassifier` with `"mask_positions"`, `(batch, slots)` int32, as
    `easymft.data.batches.masked.MaskedBatches` gives them; outputs are logits. The head is
    keras-hub's: a transform that is new, and the encoder's word embeddings once more.

    Args:
        backbone: A keras-hub encoder, trained in place; see `easymft.models.load_backbone`.

    Raises:
        InputError: The encoder has no word embeddings that read back.

    Reference: Devlin et al.: BERT, NAACL 2019; for one's own texts Gururangan et al.: Don't stop
    pretraining, ACL 2020, and for several domains Karouzos et al.: UDALM, NAACL 2021.
    """

    def __init__(self, backbone: keras.Model, **kwargs: Any):
        super().__init__(**kwargs)
        replicas.repair_keras()
        embeddings = getattr(backbone, "token_embedding", None)
        if not isinstance(embeddings, _READS_BACK):
            raise InputError(
                f"{type(backbone).__name__} has no `token_embedding` that tells tokens from "
                "vectors; take another encoder, or leave `adapt.epochs` 0",
                field="backbone.preset",
            )
        self.backbone = backbone
        self.encoder = encoder(backbone)
        if hasattr(backbone, "pooled_dense"):
            # Without a path to the loss it would only cost optimizer state and a warning a step.
            backbone.pooled_dense.trainable = False
        self.head = keras_hub.layers.MaskedLMHead(
            token_embedding=embeddings,
            intermediate_activation="gelu",
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=backbone.dtype_policy,
            name="masked_lm_head",
        )
        self.head.build((None, None, backbone.hidden_dim))
        self.built = True

    def call(self, inputs: Tensors, training: bool | None = None) -> Tensor:
        tokens = {name: inputs[name] for name in self.encoder.input}
        sequence = self.encoder(tokens, training=training)["sequence"]
        return self.head(sequence, inputs["mask_positions"])

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Return the compiled loss: the mean of a batch's slots by their weights, a scalar."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        return self.in_whole_batch(loss, x, ops.shape(y_pred)[0]) if training else loss

    def get_config(self) -> dict[str, Any]:
        backbone = keras.saving.serialize_keras_object(self.backbone)
        return {**super().get_config(), "backbone": backbone}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        backbone = keras.saving.deserialize_keras_object(config["backbone"], custom_objects)
        return cls(**{**config, "backbone": backbone})
