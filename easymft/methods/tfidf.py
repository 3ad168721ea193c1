"""Logistic regression on TF-IDF features of words and letters: what needs no encoder at all."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

from easymft.methods.logistic import Head, fit_head

MAX_FEATURES = 100_000  # of words, and of letters, in each column of texts
_KINDS = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    # Runs of letters: for inflected words, wrong spelling, and scripts without spaces.
    "letters": {"analyzer": "char_wb", "ngram_range": (2, 4)},
}


class TfidfClassifier:
    """Text classifier without an encoder, over all domains at once.

    Features are TF-IDF weights (Salton & Buckley 1988) of words, pairs of words, and runs of two to
    four letters; the classifier is scikit-learn's logistic regression, its strength chosen by
    cross-validation.

    Args:
        num_classes: Number of classes.
        num_columns: 1, or 2 for pairs of texts, whose features are kept apart.
    """

    def __init__(self, num_classes: int, num_columns: int = 1):
        self.num_classes = num_classes
        self.features = [_union() for _ in range(num_columns)]
        self.head = Head(np.zeros((0, num_classes), np.float32), np.zeros(num_classes, np.float32))

    def fit(
        self,
        texts: Sequence[Sequence[str]],
        labels: np.ndarray,
        cells: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> "TfidfClassifier":
        """Learn vocabulary, weights and classifier.

        Args:
            texts: `(columns, n)`, one list a column.
            labels: `(n,)` int, classes.
            cells: `(n,)` int, by which cross-validation is stratified.
            weights: `(n,)` float, of the texts in the loss; `None`: all count alike.
        """
        parts = [union.fit_transform(column) for union, column in self._columns(texts)]
        features = scipy.sparse.hstack(parts, "csr")
        self.head = fit_head(features, labels, cells, self.num_classes, weights)
        return self

    def predict_proba(self, texts: Sequence[Sequence[str]]) -> np.ndarray:
        """Return class probabilities of `texts`, `(columns, n)`: `(n, num_classes)` float32."""
        parts = [union.transform(column) for union, column in self._columns(texts)]
        logits = scipy.sparse.hstack(parts, "csr") @ self.head.kernel + self.head.bias
        return softmax(logits, axis=1).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write a `.npz` file, without pickle."""
        arrays: dict[str, Any] = {"kernel": self.head.kernel, "bias": self.head.bias}
        for number, union in enumerate(self.features):
            for kind, vectorizer in union.transformer_list:
                terms = json.dumps(vectorizer.get_feature_names_out().tolist()).encode()
                arrays[f"{number}-{kind}-terms"] = np.frombuffer(terms, np.uint8)
                arrays[f"{number}-{kind}-idf"] = vectorizer.idf_.astype(np.float32)
        with open(path, "wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> "TfidfClassifier":
        """Read what `save` wrote.

        Raises:
            KeyError, OSError, ValueError: The file is damaged.
        """
        with np.load(path, allow_pickle=False) as arrays:
            columns = len({name.partition("-")[0] for name in arrays if "-" in name})
            model = cls(len(arrays["bias"]), columns)
            model.head = Head(arrays["kernel"], arrays["bias"])
            for number, union in enumerate(model.features):
                for kind, vectorizer in union.transformer_list:
                    terms = json.loads(arrays[f"{number}-{kind}-terms"].tobytes())
                    vectorizer.set_params(vocabulary=terms)
                    vectorizer.idf_ = arrays[f"{number}-{kind}-idf"]
        return model

    def _columns(self, texts: Sequence[Sequence[str]]) -> zip:
        return zip(self.features, texts, strict=True)


def _union() -> FeatureUnion:
    common = {"sublinear_tf": True, "strip_accents": "unicode", "max_features": MAX_FEATURES}
    return FeatureUnion(
        [
            (name, TfidfVectorizer(**settings, **common, dtype=np.float32))
            for name, settings in _KINDS.items()
        ]
    )
