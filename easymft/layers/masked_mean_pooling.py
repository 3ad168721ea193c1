"""Mean of a text's token vectors without its padding."""

from typing import Any

import keras
from keras import ops

from easymft.layers.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="easymft")
class MaskedMeanPooling(keras.layers.Layer):
    """Averages the vectors of the real tokens of each text: the text embedding E(x).

    The mean is taken in float32 whatever the dtype policy, then cast to the compute dtype.
    What stands at a padded position, even nan, has no influence.

    Args:
        **kwargs: The arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Call arguments:
        inputs: Token vectors, float `(batch, length, hidden)`; magnitudes up to 1e34 at real
            tokens give a finite mean.
        mask: True (or non-zero) at real tokens, `(batch, length)`. None averages all positions.
            A row without any real token gives zeros.

    Returns:
        Text embeddings, `(batch, hidden)` in the compute dtype.

    Example:
        >>> tokens = np.array([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]])
        >>> MaskedMeanPooling()(tokens, mask=np.array([[1, 1, 0]]))
        [[2., 3.]]
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            mask = ops.ones(ops.shape(inputs)[:2], dtype="bool")
        mask = ops.expand_dims(ops.cast(mask, "bool"), axis=-1)
        # `where`, not a product: 0 * nan is nan.
        kept = ops.where(mask, ops.cast(inputs, "float32"), 0.0)
        count = ops.sum(ops.cast(mask, "float32"), axis=1)
        mean = ops.sum(kept, axis=1) / ops.maximum(count, 1.0)
        return ops.cast(mean, self.compute_dtype)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> None:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], input_shape[-1])
