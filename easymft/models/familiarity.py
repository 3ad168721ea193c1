"""How much a text is like those of training, and whose: no label is needed for that."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from easymft.layers import MaskedMeanPooling
from easymft.layers.types import Tensor, Tensors
from easymft.layers.vector_math import ratio, unit

QUANTILES = 100


@dataclasses.dataclass(frozen=True)
class Familiarity:
    """Typicality of unlabelled texts, as a share of the training texts that are less typical.

    A text's typicality in a domain is the largest cosine, over the classes, of its mean word
    embedding to the centroid of the domain's training texts of that class. Its familiarity is the
    share of the domain's training texts whose own typicality, against centroids without
    themselves, is not higher: for texts like those of training it is spread evenly over 0 to 1,
    for strangers it is near 0.

    Word embeddings, the encoder's first layer, and not E(x): learning to tell classes, and to hide
    domains, takes from E(x) what tells a stranger; and they cost no pass of an encoder.

    Attributes:
        domains: Names of the domains, in the order of their codes.
        directions: `(domains, classes, width)` float32, centroids of norm 1; zeros where there
            were no texts.
        typicalities: `(domains, QUANTILES)` float32, quantiles of the training texts' own; `inf`
            where there were no texts, so that nothing is familiar.
    """

    domains: tuple[str, ...]
    directions: np.ndarray
    typicalities: np.ndarray

    @classmethod
    def fit(
        cls,
        embeddings: np.ndarray,
        labels: np.ndarray,
        codes: np.ndarray,
        domains: Sequence[str],
        num_classes: int,
    ) -> Self:
        """Return what is familiar to those who know these texts.

        Args:
            embeddings: `(texts, width)`, of `word_average` or `word_averages`.
            labels: `(texts,)` int.
            codes: `(texts,)` int, of the texts' domains.
            domains: Names of the domains.
            num_classes: Number of classes.
        """
        embeddings = embeddings.astype(np.float64)
        cells = codes * num_classes + labels
        shape = (len(domains) * num_classes, embeddings.shape[1])
        sums, counts = np.zeros(shape), np.bincount(cells, minlength=shape[0])[:, None]
        np.add.at(sums, cells, embeddings)
        directions = unit(ratio(sums, counts)).reshape(len(domains), num_classes, -1)
        cosines = np.einsum("nw,nmw->nm", unit(embeddings), directions[codes])
        # Against its own class's centroid without itself.
        others = ratio(sums[cells] - embeddings, counts[cells] - 1.0)
        own = np.einsum("nw,nw->n", unit(embeddings), unit(others))
        cosines[np.arange(len(cells)), labels] = own
        present = counts.reshape(len(domains), num_classes)[codes] > 0
        own_typicalities = np.where(present, cosines, -1).max(axis=1, initial=-1)
        places = (np.arange(QUANTILES) + 0.5) / QUANTILES
        quantiles = [
            np.quantile(own_typicalities[codes == code], places)
            if (codes == code).any()
            else np.full(QUANTILES, np.inf)
            for code in range(len(domains))
        ]
        return cls(tuple(domains), directions.astype(np.float32), np.array(quantiles, np.float32))

    def __call__(self, embeddings: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return familiarities and the nearest domains of texts.

        Args:
            embeddings: `(texts, width)` float32, of `word_average` or `word_averages`.
            codes: `(texts,)` int, of the texts' domains; the number of domains for no known one,
                in whose place the nearest stands.

        Returns:
            Familiarity, `(texts,)` float32 in [0, 1], and the code of the domain in which the text
            is most typical, `(texts,)` int32.
        """
        number, classes, width = self.directions.shape
        norms = ops.sqrt(ops.sum(embeddings * embeddings, axis=-1, keepdims=True))
        units = embeddings / ops.maximum(norms, 1e-12)
        cosines = ops.matmul(units, self.directions.reshape(-1, width).T)
        typicalities = ops.max(ops.reshape(cosines, (-1, number, classes)), axis=-1)
        nearest = ops.cast(ops.argmax(typicalities, axis=-1), "int32")
        codes = ops.cast(codes, "int32")
        codes = ops.where(codes < number, codes, nearest)
        own = ops.take_along_axis(typicalities, codes[:, None], axis=1)
        known = ops.take(ops.convert_to_tensor(self.typicalities), codes, axis=0)
        # A text of training is not to be less familiar than itself for a rounding.
        return ops.mean(ops.cast(known <= own + 1e-6, "float32"), axis=-1), nearest

    def with_domains(self, other: "Familiarity") -> Self:
        """Return this with the domains of another one after its own."""
        return dataclasses.replace(
            self,
            domains=(*self.domains, *other.domains),
            directions=np.concatenate([self.directions, other.directions]),
            typicalities=np.concatenate([self.typicalities, other.typicalities]),
        )

    def of_domains(self, domains: Sequence[str]) -> Self:
        """Return this for these domains, in this order; in new ones nothing is familiar."""
        rows = [self.domains.index(name) if name in self.domains else -1 for name in domains]
        nothing = np.zeros_like(self.directions[:1]), np.full_like(self.typicalities[:1], np.inf)
        directions, typicalities = (
            np.concatenate([own, none])[rows]
            for own, none in zip((self.directions, self.typicalities), nothing, strict=True)
        )
        return dataclasses.replace(
            self, domains=tuple(domains), directions=directions, typicalities=typicalities
        )

    def fingerprint(self) -> str:
        """Return a hash that tells this from others."""
        digest = hashlib.sha256("\n".join(self.domains).encode())
        for values in (self.directions, self.typicalities):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write a `.npz` file, without pickle."""
        with open(path, "wb") as file:
            np.savez(
                file,
                domains=np.array(self.domains, np.str_),
                directions=self.directions,
                typicalities=self.typicalities,
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: It is no such file; or a `KeyError`, `OSError` or `BadZipFile`.
        """
        with np.load(path, allow_pickle=False) as arrays:
            names = tuple(arrays["domains"].tolist())
            return cls(names, arrays["directions"], arrays["typicalities"])


def word_average(backbone: keras.Model, inputs: Tensors) -> Tensor:
    """Return the mean of the texts' word embeddings, `(batch, width)` float32.

    Args:
        backbone: A keras-hub encoder.
        inputs: What it takes: `token_ids` and `padding_mask`, `(batch, length)`.
    """
    words = ops.take(backbone.token_embedding.embeddings, inputs["token_ids"], axis=0)
    return MaskedMeanPooling(dtype="float32")(words, mask=inputs["padding_mask"])


def word_averages(backbone: keras.Model, token_ids: Any, offsets: Any, rows: Any) -> np.ndarray:
    """Return `word_average` of texts whose token ids are packed, `(rows, width)` float32.

    Args:
        backbone: A keras-hub encoder.
        token_ids: `(tokens,)` int, those of all texts one after another.
        offsets: `(texts + 1,)` int, where each text begins and ends.
        rows: `(rows,)` int, of the texts asked for; none is empty.
    """
    words = ops.convert_to_numpy(backbone.token_embedding.embeddings).astype(np.float32)
    means = [words[token_ids[offsets[row] : offsets[row + 1]]].mean(axis=0) for row in rows]
    return np.array(means, np.float32).reshape(len(rows), words.shape[1])
