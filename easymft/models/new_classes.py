"""A class that comes up later: the head grows, and what it said of the others stays."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
import scipy.optimize
import scipy.special

from easymft.data.batches.tokenized_texts import TokenizedTexts
from easymft.layers.checks import check, check_integer
from easymft.layers.types import Tensors
from easymft.models.adapted_text_classifier import AdaptedTextClassifier
from easymft.models.inference import predict
from easymft.models.text_classifier import TextClassifier

STRENGTH = 1.0  # the inverse of the L2 penalty's weight, as scikit-learn's logistic regression has


@dataclasses.dataclass(frozen=True)
class NewClasses:
    """Classes that were added to a trained classifier, apart from it.

    Attributes:
        names: Their names, in the order of their codes, which follow those of the others.
        kernel: `(hidden, classes)` float32.
        bias: `(classes,)` float32.
    """

    names: tuple[str, ...]
    kernel: np.ndarray
    bias: np.ndarray

    def beside(self, model: TextClassifier) -> TextClassifier:
        """Return a plain classifier with these classes too, on the same encoder."""
        config = TextClassifier.get_config(model)
        more = {name: config[name] + len(self.names) for name in ("num_classes", "later_classes")}
        labels = config["labels"] and [*config["labels"], *self.names]
        own = {"backbone": model.backbone, "preprocessor": model.preprocessor, "name": None}
        grown = TextClassifier(**{**config, **own, **more, "labels": labels})
        grown.copy_heads(model)
        columns = zip(self.kernel.T, self.bias, strict=True)
        for head, (kernel, bias) in zip(
            grown.later_heads[-len(self.names) :], columns, strict=True
        ):
            head.set_weights([kernel[:, None], bias[None]])
        return grown

    def followed_by(self, other: "NewClasses") -> Self:
        """Return these classes and others after them."""
        return dataclasses.replace(
            self,
            names=(*self.names, *other.names),
            kernel=np.concatenate([self.kernel, other.kernel], axis=1),
            bias=np.concatenate([self.bias, other.bias]),
        )

    def without(self, name: str) -> "NewClasses | None":
        """Return the other classes, `None` where there are none."""
        kept = [place for place, own in enumerate(self.names) if own != name]
        names = tuple(self.names[place] for place in kept)
        return NewClasses(names, self.kernel[:, kept], self.bias[kept]) if kept else None


def fit_new_classes(
    embeddings: np.ndarray,
    known: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    weights: np.ndarray | None = None,
) -> NewClasses:
    """Fit the weights of new classes beside logits that are known.

    They minimize sum_n w_n CE(y_n, [known_n, x_n W + b]) + |W|^2 / (2 C), C = `STRENGTH`, as
    logistic regression does where the other classes' part is given.

    Args:
        embeddings: `(texts, hidden)`, E(x).
        known: `(texts, classes)`, logits of the classes that there are.
        labels: Int `(texts,)`; the codes of new classes follow those of `known`.
        names: Those of the new classes.
        weights: `(texts,)`, what each text counts; `None`: 1.
    """
    x, known = np.asarray(embeddings, np.float64), np.asarray(known, np.float64)
    width, count, old = x.shape[1], len(names), known.shape[1]
    weights = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    target = np.eye(old + count)[labels]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        kernel, bias = flat[:-count].reshape(width, count), flat[-count:]
        logits = np.concatenate([known, x @ kernel + bias], axis=1)
        logs = scipy.special.log_softmax(logits, axis=1)
        error = (weights[:, None] * (np.exp(logs) - target))[:, old:]
        value = -(weights * (target * logs).sum(axis=1)).sum() + (kernel**2).sum() / (2 * STRENGTH)
        gradient = x.T @ error + kernel / STRENGTH
        return value, np.concatenate([gradient.ravel(), error.sum(axis=0)])

    # L-BFGS: the loss is convex, and what it takes is a second.
    start = np.zeros(width * count + count)
    found = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B").x.astype(np.float32)
    return NewClasses(tuple(names), found[:-count].reshape(width, count), found[-count:])


def with_new_classes(
    model: TextClassifier,
    inputs: Tensors,
    labels: np.ndarray,
    count: int = 1,
    names: Sequence[str] | None = None,
) -> TextClassifier:
    """Return a classifier with new classes, on the same encoder; the old logits stay, bit for bit.

    Only the new classes' weights are trained, by `fit_new_classes`. Give texts of old classes too:
    from those of new ones alone it learns to answer nothing else.

    Args:
        model: A plain classifier, such as a meta-learner, or one with parts of domains; it stays as
            it is.
        inputs: What it takes.
        labels: Int `(texts,)`; the new classes' codes follow those of the old.
        count: Number of new classes.
        names: Theirs, where the model's classes have names.

    Raises:
        ValueError: A label or the number of names is out of range, the head is no plain one, or
            domains have sets of classes.

    Example:
    ```python
    model = with_new_classes(model, inputs, labels)  # 2 is the code of the third
    ```
    """
    plain = model.answers_any_domain and model.label_sets is None
    check(plain, "model", "a classifier with one head of all classes for all domains", model.name)
    labels, last = np.asarray(labels), model.num_classes + check_integer("count", count) - 1
    inside = np.issubdtype(labels.dtype, np.integer) and labels.min(initial=0) >= 0
    check(inside and labels.max(initial=0) <= last, "labels", f"in 0 .. {last}", labels)
    names = [str(code) for code in range(model.num_classes, last + 1)] if names is None else names
    check(len(names) == count, "names", f"{count} names", names)
    found = Features(model).predict(inputs, verbose=0)
    new = fit_new_classes(found["embedding"], found["logits"], labels, names)
    return (
        model.on(new.beside(model))
        if isinstance(model, AdaptedTextClassifier)
        else new.beside(model)
    )


class Features(keras.Model):
    """Gives E(x) and the logits of a classifier, of one pass of its encoder."""

    def __init__(self, classifier: TextClassifier):
        super().__init__(name="features")
        self.classifier = classifier
        self.built = True

    def call(self, inputs: Tensors) -> Tensors:
        embedding = self.classifier.embed(inputs, training=False)
        return {
            "embedding": embedding,
            "logits": self.classifier.logits_of(embedding, inputs),
        }

    def of(self, tokens: TokenizedTexts, rows: np.ndarray) -> dict[str, Any]:
        """Return `embedding` and `logits` of tokenized texts, `(rows, ...)` float32 each."""
        return predict(self, "reading texts", tokens, rows)
