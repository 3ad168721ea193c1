"""How much a text is like those of training, and whose: no label is needed for that."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import keras
import numpy as np
from keras import ops

from easymft.layers import MaskedMeanPooling
from easymft.layers.types import Tensor, Tensors
from easymft.layers.vector_math import ratio, unit

QUANTILES = 100
LENGTHS = 8  # 2, 4, 8, ... 256 words


@dataclasses.dataclass(frozen=True)
class Familiarity:
    """Typicality of unlabelled texts, as a share of the training texts that are less typical.

    A text's typicality in a domain is the largest cosine, over the classes, of its mean word
    embedding to the centroid of the domain's training texts of that class. Its familiarity is the
    share of the domain's training texts, cut to as many words (the next power of two), whose own
    typicality, against centroids without themselves, is not higher: for texts like those of
    training it is spread over 0 to 1, for strangers it is near 0. Without the cut short texts would
    be strange for their length alone, since the mean of few words strays further from any centroid.

    Word embeddings, the encoder's first layer, and not E(x): learning to tell classes, and to hide
    domains, takes from E(x) what tells a stranger; and they cost no pass of an encoder.

    Attributes:
        domains: Names of the domains, in the order of their codes.
        directions: `(domains, classes, width)` float32, centroids of norm 1; zeros where there
            were no texts.
        typicalities: `(domains, LENGTHS, QUANTILES)` float32, quantiles of the training texts' own
            by their number of words; `inf` where there were no texts, so that nothing is familiar.
        ignored: Token ids that are no words, such as those of the beginning and the end.
    """

    domains: tuple[str, ...]
    directions: np.ndarray
    typicalities: np.ndarray
    ignored: tuple[int, ...] = ()

    @classmethod
    def fit(
        cls,
        texts: Sequence[np.ndarray],
        labels: np.ndarray,
        codes: np.ndarray,
        domains: Sequence[str],
        num_classes: int,
        embeddings: np.ndarray,
        ignored: Sequence[int] = (),
    ) -> Self:
        """Return what is familiar to those who know these texts.

        Args:
            texts: Token ids of each, int `(tokens,)`.
            labels: `(texts,)` int.
            codes: `(texts,)` int, of the texts' domains.
            domains: Names of the domains.
            num_classes: Number of classes.
            embeddings: `(vocabulary, width)` float32, of words.
            ignored: Token ids that are no words.
        """
        words = [text[~np.isin(text, ignored)] for text in texts]
        cells = codes * num_classes + labels
        shape = (len(domains) * num_classes, embeddings.shape[1])
        means, sums = _means(words, embeddings), np.zeros(shape)
        counts = np.bincount(cells, minlength=shape[0])[:, None]
        np.add.at(sums, cells, means)
        directions = unit(ratio(sums, counts)).reshape(len(domains), num_classes, -1)
        # A text is compared with its own class's centroid without itself.
        others = unit(ratio(sums[cells] - means, counts[cells] - 1.0))
        present = counts.reshape(len(domains), num_classes)[codes] > 0
        quantiles = np.full((len(domains), LENGTHS, QUANTILES), np.inf)
        places = (np.arange(QUANTILES) + 0.5) / QUANTILES
        for power in range(LENGTHS):
            units = unit(_means([own[: 2 ** (power + 1)] for own in words], embeddings))
            cosines = np.einsum("nw,nmw->nm", units, directions[codes])
            cosines[np.arange(len(cells)), labels] = np.einsum("nw,nw->n", units, others)
            own = np.where(present, cosines, -1).max(axis=1, initial=-1)
            for code in np.unique(codes):
                quantiles[code, power] = np.quantile(own[codes == code], places)
        return cls(
            tuple(domains),
            directions.astype(np.float32),
            quantiles.astype(np.float32),
            tuple(map(int, ignored)),
        )

    def __call__(self, embedded: Tensor, inputs: Tensors, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return familiarities and the nearest domains of texts.

        Args:
            embedded: `(texts, length, width)`, the embedding of each of the texts' tokens.
            inputs: `token_ids` and `padding_mask`, `(texts, length)`.
            codes: `(texts,)` int, of the texts' domains; the number of domains for no known one,
                in whose place the nearest stands.

        Returns:
            Familiarity, `(texts,)` float32 in [0, 1], and the code of the domain in which the text
            is most typical, `(texts,)` int32.
        """
        number, classes, width = self.directions.shape
        ids, is_word = inputs["token_ids"], ops.cast(inputs["padding_mask"], "bool")
        for ignored in self.ignored:
            is_word = ops.logical_and(is_word, ops.not_equal(ids, ignored))
        means = MaskedMeanPooling(dtype="float32")(ops.cast(embedded, "float32"), mask=is_word)
        norms = ops.sqrt(ops.sum(means * means, axis=-1, keepdims=True))
        cosines = ops.matmul(
            means / ops.maximum(norms, 1e-12), self.directions.reshape(-1, width).T
        )
        typicalities = ops.max(ops.reshape(cosines, (-1, number, classes)), axis=-1)
        nearest = ops.cast(ops.argmax(typicalities, axis=-1), "int32")
        codes = ops.cast(codes, "int32")
        codes = ops.where(codes < number, codes, nearest)
        own = ops.take_along_axis(typicalities, codes[:, None], axis=1)
        # The table of the next power of two words.
        lengths = ops.sum(ops.cast(is_word, "float32"), axis=1)
        powers = ops.ceil(ops.log(ops.maximum(lengths, 1.0)) / np.log(2.0) - 1e-4) - 1
        powers = ops.cast(ops.clip(powers, 0, LENGTHS - 1), "int32")
        tables = ops.reshape(ops.convert_to_tensor(self.typicalities), (-1, QUANTILES))
        known = ops.take(tables, codes * LENGTHS + powers, axis=0)
        # A text of training is not to be less familiar than itself for a rounding.
        return ops.mean(ops.cast(known <= own + 1e-6, "float32"), axis=-1), nearest

    def of_packed(
        self, embeddings: np.ndarray, texts: Sequence[np.ndarray], codes: np.ndarray
    ) -> np.ndarray:
        """Return familiarities of texts given as token ids, `(texts,)` float32.

        Args:
            embeddings: `(vocabulary, width)` float32, of words.
            texts: Token ids of each.
            codes: As for a call.
        """
        found = [np.zeros(0, np.float32)]
        for start in range(0, len(texts), 256):
            part = texts[start : start + 256]
            lengths = np.array([len(text) for text in part])
            mask = np.arange(lengths.max()) < lengths[:, None]
            ids = np.zeros(mask.shape, np.int32)
            ids[mask] = np.concatenate(part)
            inputs = {"token_ids": ids, "padding_mask": mask}
            familiarity, _ = self(embeddings[ids], inputs, codes[start : start + 256])
            found.append(ops.convert_to_numpy(familiarity))
        return np.concatenate(found)

    def with_domains(self, other: "Familiarity") -> Self:
        """Return this with the domains of another one after its own."""
        return dataclasses.replace(
            self,
            domains=(*self.domains, *other.domains),
            directions=np.concatenate([self.directions, other.directions]),
            typicalities=np.concatenate([self.typicalities, other.typicalities]),
        )

    def with_class(self, other: "Familiarity") -> Self:
        """Return this with the only class of another one, of the same domains, after its own."""
        directions = np.concatenate([self.directions, other.directions], axis=1)
        return dataclasses.replace(self, directions=directions)

    def without_class(self, code: int) -> Self:
        """Return this for the other classes."""
        others = np.arange(self.directions.shape[1]) != code
        return dataclasses.replace(self, directions=self.directions[:, others])

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
        digest = hashlib.sha256(repr((self.domains, self.ignored)).encode())
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
                ignored=np.array(self.ignored, np.int64),
            )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ValueError: It is no such file; or a `KeyError`, `OSError` or `BadZipFile`.
        """
        with np.load(path, allow_pickle=False) as arrays:
            names, ignored = (tuple(arrays[name].tolist()) for name in ("domains", "ignored"))
            return cls(names, arrays["directions"], arrays["typicalities"], ignored)


def word_embeddings(backbone: keras.Model) -> keras.layers.Layer:
    """Return an encoder's layer of word embeddings, with a table `(vocabulary, width)`."""
    return backbone.token_embedding


def _means(texts: Sequence[np.ndarray], embeddings: np.ndarray) -> np.ndarray:
    """Return mean word embeddings, `(texts, width)` float64; zeros of a text without words."""
    nothing = np.zeros(embeddings.shape[1])
    means = [embeddings[text].mean(axis=0) if len(text) else nothing for text in texts]
    return np.array(means, np.float64).reshape(len(texts), embeddings.shape[1])
