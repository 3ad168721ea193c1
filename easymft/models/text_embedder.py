"""A classifier's text embedding as a model of its own."""

from typing import Any, Self

import keras

from easymft.layers.types import Tensors
from easymft.models.exportable import Exportable


@keras.saving.register_keras_serializable(package="easymft")
class TextEmbedder(Exportable):
    """Gives E(x), `(batch, hidden)` float32, for the inputs that a `TextClassifier` takes.

    Args:
        classifier: A `TextClassifier`, whose encoder is shared.

    Example:
    ```python
    embeddings = TextEmbedder(classifier).predict(inputs)
    ```
    """

    def __init__(self, classifier: keras.Model, **kwargs: Any):
        super().__init__(**kwargs)
        self.classifier = classifier
        self.built = True

    def input_signature(self, length: int | None = None) -> dict[str, keras.InputSpec]:
        return self.classifier.input_signature(length)

    def call(self, inputs: Tensors) -> Any:
        return self.classifier.embed(inputs, training=False)

    def get_config(self) -> dict[str, Any]:
        classifier = keras.saving.serialize_keras_object(self.classifier)
        return {**super().get_config(), "classifier": classifier}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        classifier = keras.saving.deserialize_keras_object(config["classifier"], custom_objects)
        return cls(**{**config, "classifier": classifier})
