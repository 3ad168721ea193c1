"""Tiny models with random weights for the tests, and texts for them."""

import keras
import keras_hub
import numpy as np

from easymft.data.batches.tokenized import TokenizedTexts

NUM_CLASSES, NUM_DOMAINS, WIDTH = 2, 3, 4
SIZES = {
    "vocabulary_size": 20,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": WIDTH,
    "intermediate_dim": 8,
    "max_sequence_length": 8,
}


def tiny_backbone(architecture="Bert", dropout=0.0, seed=0, **kwargs):
    """Two layers of width 4; its weights are large, so that no gradient is lost in rounding."""
    backbone_class = getattr(keras_hub.models, f"{architecture}Backbone")
    backbone = backbone_class(**{**SIZES, "dropout": dropout, **kwargs})
    scramble(backbone, seed)
    return backbone


def scramble(model, seed=0):
    """Give a model weights that are the same on every Keras backend, biases too."""
    random = np.random.default_rng(seed)
    model.set_weights(
        [v if v.dtype.kind != "f" else random.normal(0, 0.5, v.shape) for v in model.get_weights()]
    )


def tokenized(count, num_domains=NUM_DOMAINS):
    """So many random texts of 2 to 8 tokens."""
    random = np.random.default_rng(0)
    lengths = random.integers(2, 9, count)
    offsets = np.concatenate([[0], lengths.cumsum()])
    return TokenizedTexts(
        token_ids=random.integers(1, 20, offsets[-1]).astype(np.int32),
        offsets=offsets,
        second_start=lengths.astype(np.int32),
        labels=random.integers(0, NUM_CLASSES, count).astype(np.int32),
        domains=random.integers(0, num_domains, count).astype(np.int32),
        max_length=8,
    )


def compiled(model, optimizer=None, **kwargs):
    """Compiled without tracing, which would take most of a test's time."""
    model.compile(
        optimizer or keras.optimizers.SGD(0.5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **{"run_eagerly": True, "jit_compile": False, **kwargs},
    )
    return model


def traced():
    """Arguments of `compiled` for a step that is traced as users have it."""
    return {"run_eagerly": False, "jit_compile": keras.backend.backend() == "jax"}


def arrays(weights):
    return [keras.ops.convert_to_numpy(w) for w in weights]
