"""Identity forward, reversed gradient backward."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from easymft.layers.checks import check
from easymft.layers.types import Shape, Tensor


@keras.saving.register_keras_serializable(package="easymft")
class GradientReversal(keras.layers.Layer):
    """Passes its input on unchanged and multiplies the gradient by `-strength`.

    Between an encoder and a domain classifier it trains the classifier to tell the domains apart
    and the encoder to prevent that. `strength` is a non-trainable weight: a callback may set it
    between epochs (on TensorFlow also between steps) and nothing is traced again.

    Args:
        strength: Finite float >= 0; 0 lets no gradient through.
        **kwargs: The arguments of `keras.layers.Layer`, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of any shape.
        strength: Scalar tensor taken in place of the layer's own, for one that is computed.

    Returns:
        The same values, same shape, in the compute dtype.

    Raises:
        ValueError: `strength` is negative or not finite.

    Example:
        >>> reversal = GradientReversal(strength=0.0)
        >>> ramp = keras.callbacks.LambdaCallback(
        ...     on_epoch_begin=lambda epoch, logs: setattr(reversal, "strength", epoch / 10)
        ... )

    Reference:
        Ganin and Lempitsky 2015, Unsupervised Domain Adaptation by Backpropagation.
    """

    def __init__(self, strength: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self._strength = self.add_weight(
            name="strength",
            shape=(),
            initializer=keras.initializers.Constant(_checked(strength)),
            dtype="float32",
            trainable=False,
            autocast=False,
        )
        self.built = True

    @property
    def strength(self) -> float:
        """Factor of the gradient, without the minus."""
        return float(ops.convert_to_numpy(self._strength))

    @strength.setter
    def strength(self, value: float) -> None:
        self._strength.assign(_checked(value))

    def call(self, inputs: Tensor, strength: Tensor | None = None) -> Tensor:
        strength = self._strength if strength is None else strength
        return _reverse(inputs, ops.cast(ops.convert_to_tensor(strength), "float32"))

    def compute_output_shape(
        self, inputs_shape: Shape, strength_shape: Shape | None = None
    ) -> Shape:
        return inputs_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strength": self.strength}


# The strength is an argument, not a closure: JAX would leak its tracer, and TensorFlow would ask
# for the variable's gradient.
@ops.custom_gradient
def _reverse(inputs: Tensor, strength: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
    def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
        return -ops.cast(strength, upstream.dtype) * upstream, ops.zeros_like(strength)

    return inputs, gradient


def _checked(strength: float) -> float:
    holds = math.isfinite(strength) and strength >= 0
    check(holds, "strength", "finite and at least 0; the layer itself supplies the minus", strength)
    return float(strength)
