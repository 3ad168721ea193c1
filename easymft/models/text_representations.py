"""What a classifier's encoder makes of a text, layer by layer."""

from collections.abc import Sequence
from typing import Any

import keras

from easymft.layers.types import Tensors
from easymft.models.backbone import encoder
from easymft.models.exportable import Exportable
from easymft.models.text_classifier import TextClassifier


class TextRepresentations(Exportable):
    """Gives each text's vector at chosen encoder layers and its embedding, in one pass.

    The output is a dict of `(batch, hidden)` float32: under each layer's number as a string h_l,
    the mean over the text's tokens at that layer; under `"embedding"` E(x).

    Args:
        classifier: Whose encoder is shared.
        layers: Encoder layers, from 0.

    Example:
    ```python
    vectors = TextRepresentations(classifier, (2, 5)).predict(inputs)
    vectors["2"], vectors["embedding"]
    ```
    """

    def __init__(self, classifier: TextClassifier, layers: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.classifier = classifier
        self.encoder = encoder(classifier.backbone, layers)
        self.names = [str(layer) for layer in layers]  # not `layers`, which Keras has
        self.built = True

    def input_signature(self, length: int | None = None) -> dict[str, keras.InputSpec]:
        return self.classifier.input_signature(length)

    def call(self, inputs: Tensors) -> Tensors:
        tokens = {name: inputs[name] for name in self.encoder.input}
        encoded = self.encoder(tokens, training=False)
        mean = self.classifier.pooling
        vectors = [mean(hidden, mask=inputs["padding_mask"]) for hidden in encoded["hidden"]]
        embedding = self.classifier._embedding(encoded, inputs)
        return {**dict(zip(self.names, vectors, strict=True)), "embedding": embedding}
