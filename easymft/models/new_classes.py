"""A class that comes up later: the head grows, and what it said of the others stays."""

from typing import Any

import keras
import numpy as np
from keras import ops

from easymft.layers.checks import check, check_integer
from easymft.layers.types import Tensor, Tensors
from easymft.models.multi_task_text_classifier import MultiTaskTextClassifier
from easymft.models.optimizer import adamw
from easymft.models.text_classifier import TextClassifier


def with_new_classes(
    model: TextClassifier,
    inputs: Tensors,
    labels: np.ndarray,
    count: int = 1,
    learning_rate: float = 1e-2,
    **fit: Any,
) -> TextClassifier:
    """Return a classifier with new classes, on the same encoder; the old logits stay.

    Only the new classes' weights are trained, by the cross-entropy over all classes. Give texts of
    old classes too: from those of new ones alone it learns to answer nothing else.

    Args:
        model: A plain classifier, such as a meta-learner; it stays as it is.
        inputs: What it takes.
        labels: Int `(texts,)`; the new classes' codes follow those of the old.
        count: Number of new classes.
        learning_rate: Of AdamW.
        **fit: Of `keras.Model.fit`, such as `epochs`.

    Raises:
        ValueError: A label is out of range, the head is no plain one, or domains have sets of
            classes.

    Example:
    ```python
    model = with_new_classes(model, inputs, labels, epochs=20)  # 2 is the code of the third
    ```
    """
    plain = not isinstance(model, MultiTaskTextClassifier) and model.label_sets is None
    check(plain, "model", "a classifier with one head of all classes for all domains", model.name)
    old, labels = model.num_classes, np.asarray(labels)
    check_integer("count", count)
    inside = np.issubdtype(labels.dtype, np.integer) and labels.min(initial=0) >= 0
    check(
        inside and labels.max(initial=0) < old + count,
        "labels",
        f"in 0 .. {old + count - 1}",
        labels,
    )

    config = TextClassifier.get_config(model)
    config = {**config, "backbone": model.backbone, "name": None, "num_classes": old + count}
    grown = TextClassifier(**config)
    embeddings = _embeddings(model, inputs, fit.get("batch_size") or 32)
    known = model.class_head(embeddings)
    head = _NewLogits(count, model.backbone.hidden_dim)
    head.compile(
        adamw(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    features = {"embedding": embeddings, "known": ops.convert_to_numpy(known)}
    head.fit(features, labels, **{"verbose": 0, **fit})
    new = head.dense.get_weights()
    joined = zip(model.class_head.get_weights(), new, strict=True)
    grown.class_head.set_weights([np.concatenate(pair, axis=-1) for pair in joined])
    return grown


def _embeddings(model: TextClassifier, inputs: Tensors, size: int) -> np.ndarray:
    rows = len(inputs["token_ids"])
    parts = [
        model.embed({name: value[start : start + size] for name, value in inputs.items()}, False)
        for start in range(0, rows, size)
    ]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts])


class _NewLogits(keras.Model):
    """Puts the logits of new classes after those that are known."""

    def __init__(self, count: int, width: int):
        super().__init__(name="new_logits")
        self.dense = keras.layers.Dense(count, kernel_initializer="zeros", dtype="float32")
        self.dense.build((None, width))
        self.built = True

    def call(self, inputs: Tensors) -> Tensor:
        return ops.concatenate([inputs["known"], self.dense(inputs["embedding"])], axis=1)
