"""What lets a model of token ids be exported from the moment it is made."""

from pathlib import Path
from typing import Any

import keras

from easymft.models.cpu_kernels import served_kernels


class Exportable(keras.Model):
    """A Keras model that knows its inputs, so that `export` needs no call before it.

    Keras infers the inputs of a model that is no graph from its first call, and takes all of them
    for floats of the model's precision: bfloat16 has no room for most token ids.
    """

    def input_signature(self, length: int | None = None) -> dict[str, keras.InputSpec]:
        """Return the inputs by name: what `call` takes, and `export` declares.

        Args:
            length: Tokens of each text; `None` for any number.
        """
        raise NotImplementedError

    def export(
        self,
        filepath: str | Path,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Write the model for inference, as Keras does.

        Args:
            filepath: Where to write.
            format: One of Keras' formats.
            verbose: Whether to print what was written.
            input_signature: As Keras takes it. `None`: texts of any length, which Keras on JAX
                cannot do; there give `[model.input_signature(length)]`.
            **kwargs: Of the format.
        """
        signature = [self.input_signature()] if input_signature is None else input_signature
        with served_kernels(self):
            super().export(filepath, format, verbose, signature, **kwargs)
