"""How a class that comes up later is learned, beside parts of domains that stay as they are."""

from collections.abc import Sequence

import numpy as np

from easymft.data.batches.tokenized import TokenizedTexts
from easymft.methods.balance import class_weights
from easymft.models import AdaptedTextClassifier
from easymft.models.new_classes import Features, NewClasses, fit_new_classes


def learn_class(
    model: AdaptedTextClassifier, texts: Sequence[tuple[TokenizedTexts, np.ndarray]], name: str
) -> NewClasses:
    """Return the weights of a new class, whose code follows those of a model's classes.

    Each text is read with its own domain's parts. All classes count alike, however many texts they
    have: how frequent the new one will be, its first texts do not tell.

    Args:
        model: The meta-learner with the domains' parts; it stays as it is.
        texts: Tokens, with the model's codes of domains and classes, and rows of them; of old
            classes too, or the new one takes all.
        name: Of the class.
    """
    features = Features(model)
    found = [features.of(tokens, rows) for tokens, rows in texts if len(rows)]
    labels = np.concatenate([tokens.labels[rows] for tokens, rows in texts])
    embeddings, known = (
        np.concatenate([part[of] for part in found]) for of in ("embedding", "logits")
    )
    return fit_new_classes(embeddings, known, labels, [name], class_weights(labels))
