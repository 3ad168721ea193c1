"""The classifier that is taught wrong domains."""

from typing import Any, Self

import keras
from keras import ops

from easymft.layers.checks import check_choice, check_integer
from easymft.layers.codes import codes, flat
from easymft.layers.removed_arguments import without
from easymft.layers.types import Shape, Tensor

CORRUPTIONS = ("uniform", "shuffle", "other")


@keras.saving.register_keras_serializable(package="easymft")
class DomainCorruptionHead(keras.layers.Layer):
    """Classifies domains from a hidden layer plus a learned embedding of the true domain.

    Its target is a corrupted label z, drawn anew by each call of `corrupt`, so the encoder
    learns to hide what tells the domains apart. One head may serve one layer or, called several
    times, all of them. Logits are float32 under every dtype policy.

    Args:
        num_domains: Number of domains K >= 1.
        corruption: How z is drawn. "uniform": over the K domains. "shuffle": a random
            permutation of the batch's own domains. "other": over the K - 1 wrong domains.
        seed: Integer that makes the draws reproducible; None draws a seed. As with Keras' own
            random layers, a loaded model draws from the seed again, not from where it was saved.
        **kwargs: The arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Call arguments:
        hidden: The texts' representation at one layer, float `(batch, hidden)`.
        domains: The true domains, int `(batch,)` or `(batch, 1)`.

    Returns:
        Logits over the domains, float32 `(batch, num_domains)`; nan for a domain out of range,
        where the backend does not raise an error.

    Raises:
        ValueError: `num_domains` is not a positive integer, `corruption` is unknown, or it is
            "other" where there is no other domain.

    Example:
        >>> head = DomainCorruptionHead(num_domains=4, seed=1)
        >>> z = head.corrupt(domains)
        >>> loss = ops.mean(head.loss(head(hidden, domains), z, sample_weight=typicality))

    Reference:
        Wang et al. 2020, Meta Fine-Tuning Neural Language Models for Multi-Domain Text Mining,
        loss L_SDC. The slides leave the draw open; "shuffle" is that of the released code.
    """

    def __init__(
        self,
        num_domains: int,
        corruption: str = "uniform",
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_domains = check_integer("num_domains", num_domains)
        check_choice("corruption", corruption, CORRUPTIONS)
        if corruption == "other" and num_domains == 1:
            raise ValueError(
                '`corruption="other"` needs at least 2 domains. Received: num_domains=1. '
                'Use "uniform" or leave domain corruption out.'
            )
        self.corruption = corruption
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, hidden_shape: Shape) -> None:
        self.domain_embedding = keras.layers.Embedding(
            self.num_domains, hidden_shape[-1], dtype="float32", name="domain_embedding"
        )
        self.domain_embedding.build((None,))
        self.classifier = keras.layers.Dense(self.num_domains, dtype="float32", name="classifier")
        self.classifier.build(hidden_shape)

    def call(self, hidden: Tensor, domains: Tensor) -> Tensor:
        domains, inside = codes(domains, self.num_domains, "domains")
        logits = self.classifier(ops.cast(hidden, "float32") + self.domain_embedding(domains))
        # Some devices look up another domain, or zeros, where others raise an error.
        return ops.where(inside[:, None], logits, float("nan"))

    def corrupt(self, domains: Tensor) -> Tensor:
        """Draw corrupted labels; every call draws anew.

        Args:
            domains: The true domains, int `(batch,)` or `(batch, 1)`.

        Returns:
            Corrupted labels z, int32 `(batch,)`.
        """
        domains = ops.cast(flat(domains, "domains"), "int32")
        if self.corruption == "shuffle":
            return keras.random.shuffle(domains, seed=self.seed_generator)
        lowest = 1 if self.corruption == "other" else 0
        drawn = keras.random.randint(
            ops.shape(domains), lowest, self.num_domains, dtype="int32", seed=self.seed_generator
        )
        # A step of 1 .. K-1 around the circle of domains never comes back to where it began.
        return ops.mod(domains + drawn, self.num_domains) if lowest else drawn

    def loss(self, logits: Tensor, z: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """Return the cross-entropy of each text against its corrupted label.

        Args:
            logits: Output of `call`, float `(batch, num_domains)`.
            z: Corrupted labels, int `(batch,)` or `(batch, 1)`.
            sample_weight: Typicality or another weight, float `(batch,)` or `(batch, 1)`; None
                means 1.

        Returns:
            Losses, float32 `(batch,)`, not reduced.
        """
        logits = ops.cast(logits, "float32")
        losses = ops.sparse_categorical_crossentropy(flat(z, "z"), logits, from_logits=True)
        if sample_weight is None:
            return losses
        return losses * ops.cast(flat(sample_weight, "sample_weight"), "float32")

    def compute_output_shape(self, hidden_shape: Shape) -> Shape:
        return (hidden_shape[0], self.num_domains)

    def compute_output_spec(self, hidden: Tensor, domains: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(hidden.shape), dtype="float32")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**without(config, {"target": "corrupted", "speed": 1.0}))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_domains": self.num_domains,
            "corruption": self.corruption,
            "seed": self.seed,
        }
