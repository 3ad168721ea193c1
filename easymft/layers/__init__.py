"""The method's layers. They use `keras.ops` alone, so they run on TensorFlow and on JAX."""

from easymft.layers.domain_adapters import DomainAdapters
from easymft.layers.domain_corruption_head import DomainCorruptionHead
from easymft.layers.gradient_reversal import GradientReversal
from easymft.layers.masked_mean_pooling import MaskedMeanPooling
from easymft.layers.typicality_weighting import TypicalityWeighting

__all__ = [
    "DomainAdapters",
    "DomainCorruptionHead",
    "GradientReversal",
    "MaskedMeanPooling",
    "TypicalityWeighting",
]
