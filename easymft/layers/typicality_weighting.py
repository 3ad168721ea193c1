"""How typical a text is of its class, in its own domain and in the others."""

import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from easymft.layers.checks import check, check_choice, check_integer
from easymft.layers.codes import check_rows, codes, flat
from easymft.layers.types import Shape, Tensor
from easymft.layers.vector_math import (
    ratio,
    scaled,
    shortening,
    sum_of_others,
    unit,
    within_range,
)

VARIANTS = ("paper", "easytransfer")
_FEW_CELLS = 64  # up to which a product with all cells beats a pass for each text's own


@keras.saving.register_keras_serializable(package="easymft")
class TypicalityWeighting(keras.layers.Layer):
    """Scores texts by their cosine to the centroids of their class: the typicality t.

        t = alpha * cos(E(x), own centroid)
            + (1 - alpha) * mean over the other domains of cos(E(x), their centroid)

    A domain-class cell without texts is left out of the mean; where one term has no centroid at
    all (one domain, an empty own cell) the other counts alone, where both have none t is 0. An
    embedding of zeros scores 0. Everything is float32 under every dtype policy, and no gradient
    passes through a score: it is a weight, not something to learn.

    Args:
        num_domains: Number of domains K >= 1.
        num_classes: Number of classes M >= 1.
        alpha: Share of the own domain, in [0, 1].
        variant: "paper" averages the other domains' cosines; "easytransfer" averages their
            centroids first and takes one cosine.
        clip: Lower bound of the scores; None keeps negative ones. `raw_scores(...) < clip` tells
            which texts it touches.
        class_weights: Positive `(M, M)`: row m says how much the centroids of each class count
            for a text of class m; or `(M,)`, one row for all. Rows are normalised to sum 1. None
            lets only the text's own class count. (An extension, not in the paper.)
        **kwargs: The arguments of `keras.layers.Layer`, such as `name`.

    Call arguments:
        embeddings: Text embeddings, float32 `(batch, hidden)`. A text with a component beyond 1e31
            counts as one of that length, so every finite input gives finite scores.
        labels: Classes, int `(batch,)` or `(batch, 1)`.
        domains: Domains, int `(batch,)` or `(batch, 1)`. A row whose label or domain is out of
            range (padding may carry -1) is not counted and scores 0; `adapt` refuses it.

    Returns:
        Scores, float32 `(batch,)`.

    Raises:
        ValueError: An argument is outside its range, or an array of another shape.

    Example:
        >>> weighting = TypicalityWeighting(num_domains=4, num_classes=2)
        >>> weighting.adapt(embeddings, labels, domains)
        >>> t = weighting(embeddings, labels, domains)

    Reference:
        Wang et al. 2020, Meta Fine-Tuning Neural Language Models for Multi-Domain Text Mining,
        typicality score t_i^k; "easytransfer" is the reading of the released code.
    """

    def __init__(
        self,
        num_domains: int,
        num_classes: int,
        alpha: float = 0.5,
        variant: str = "paper",
        clip: float | None = 0.0,
        class_weights: Any = None,
        **kwargs: Any,
    ):
        # No autocast: under a mixed policy it would round float32 embeddings before `call`.
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        check(0 <= alpha <= 1, "alpha", "in [0, 1]", alpha)
        check_choice("variant", variant, VARIANTS)
        check(clip is None or math.isfinite(clip), "clip", "None or a finite number", clip)
        self.num_domains = check_integer("num_domains", num_domains)
        self.num_classes = check_integer("num_classes", num_classes)
        self.alpha = float(alpha)
        self.variant = variant
        self.clip = None if clip is None else float(clip)
        self.class_weights = _checked_class_weights(class_weights, self.num_classes)

    def build(self, embeddings_shape: Shape) -> None:
        cells = (self.num_domains, self.num_classes)
        self.sums = self._zeros("sums", (*cells, embeddings_shape[-1]))
        self.counts = self._zeros("counts", cells)
        self.centroids = self._zeros("centroids", (*cells, embeddings_shape[-1]))
        self.directions = self._zeros("directions", (*cells, embeddings_shape[-1]))

    def _zeros(self, name: str, shape: Shape) -> keras.Variable:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer="zeros",
            dtype="float32",
            trainable=False,
            autocast=False,
        )

    def adapt(
        self,
        embeddings: Tensor | Iterable[tuple[Tensor, Tensor, Tensor]],
        labels: Tensor | None = None,
        domains: Tensor | None = None,
    ) -> None:
        """Compute the centroids of a whole corpus, forgetting earlier ones.

        Args:
            embeddings: Float `(texts, hidden)`; or, without the other two arguments, an iterable
                of `(embeddings, labels, domains)` batches.
            labels: Int `(texts,)`.
            domains: Int `(texts,)`.

        Raises:
            ValueError: A label or domain is out of range, or there is no batch.
        """
        check((labels is None) == (domains is None), "domains", "given with `labels`", domains)
        self.reset_state()
        for batch in embeddings if labels is None else [(embeddings, labels, domains)]:
            for name, received, size in (
                ("labels", batch[1], self.num_classes),
                ("domains", batch[2], self.num_domains),
            ):
                inside = ops.convert_to_numpy(codes(received, size, name)[1])
                wrong = ops.convert_to_numpy(received)[~inside]
                check(wrong.size == 0, name, f"integers in [0, {size})", wrong[:5])
            self.update_state(*batch)
        self.finalize()

    def reset_state(self) -> None:
        """Forget sums, counts and what was made of them."""
        for weight in self.weights:
            weight.assign(ops.zeros(weight.shape))

    def update_state(
        self,
        embeddings: Tensor,
        labels: Tensor,
        domains: Tensor,
        sample_weight: Tensor | None = None,
    ) -> None:
        """Add a batch to the sums and counts.

        Args:
            embeddings: As in `call`.
            labels: As in `call`.
            domains: As in `call`.
            sample_weight: How much each text counts, float >= 0, `(batch,)` or `(batch, 1)`.

        Raises:
            ValueError: An array is of another shape.
        """
        if not self.built:
            self.build(embeddings.shape)
        if sample_weight is None and self._is_for_numpy(embeddings):
            cells, inside = self._numpy_cells(embeddings, labels, domains)
            members = np.float32((cells == np.arange(self._number)[:, None]) & inside)
            sums = members @ embeddings
            if np.abs(sums).max() < 1e30:  # never so if a component is no finite number
                self.sums.assign_add(sums.reshape(self.sums.shape))
                self.counts.assign_add(members.sum(axis=1).reshape(self.counts.shape))
                return
        embeddings = ops.cast(embeddings, "float32")
        cells, weight = self._cells(embeddings, labels, domains)
        if sample_weight is not None:
            weight = weight * ops.cast(flat(sample_weight, "sample_weight"), "float32")
        # One factor for both, since a pass over the embeddings is what costs here.
        factors = weight[:, None] * shortening(embeddings)
        sums = ops.segment_sum(embeddings * factors, cells, num_segments=self._number)
        counts = ops.segment_sum(weight, cells, num_segments=self._number)
        self.sums.assign_add(ops.reshape(sums, self.sums.shape))
        self.counts.assign_add(ops.reshape(counts, self.counts.shape))

    def finalize(self) -> None:
        """Fill the centroids from the sums and counts; an empty cell gets zeros.

        The cells' directions follow from them. All this is little, done once and not in a graph,
        so numpy does it: to Keras it would be a hundred small ops.
        """
        if not self.built:
            raise ValueError(
                "`finalize` needs the embeddings of at least one batch. Received: none. "
                "Call `update_state` first."
            )
        counts = ops.convert_to_numpy(self.counts)
        centroids = ratio(ops.convert_to_numpy(self.sums).astype("float64"), counts[..., None])
        self.centroids.assign(centroids)
        self.directions.assign(self._directions(centroids, (counts > 0).astype("float64")))

    def call(self, embeddings: Tensor, labels: Tensor, domains: Tensor) -> Tensor:
        scores = self.raw_scores(embeddings, labels, domains)
        return scores if self.clip is None else ops.maximum(scores, self.clip)

    def raw_scores(self, embeddings: Tensor, labels: Tensor, domains: Tensor) -> Tensor:
        """Return scores before clipping, float32 `(batch,)`; arguments as those of `call`."""
        if self._is_for_numpy(embeddings):
            vectors, squares = within_range(embeddings)
            if np.isfinite(squares).all():
                cells, inside = self._numpy_cells(embeddings, labels, domains)
                directions = ops.convert_to_numpy(self.directions).reshape(self._number, -1)
                products = (vectors @ directions.T)[np.arange(len(cells)), cells]
                norms = np.sqrt(np.where(squares > 0, squares, 1))
                return ops.convert_to_tensor(products / norms * np.float32(inside))
        embeddings = ops.cast(embeddings, "float32")
        cells, inside = self._cells(embeddings, labels, domains)
        directions = ops.reshape(self.directions, (-1, self.directions.shape[-1]))
        vectors, norms = scaled(embeddings)
        # One product per text with its own cell, not a matrix product with all cells: it is
        # less work, and a GPU would round the factors of a matrix product to 10 bits.
        scores = ops.sum(vectors * ops.take(directions, cells, axis=0), axis=-1) / norms[:, 0]
        return ops.stop_gradient(scores * inside)

    def compute_output_shape(self, embeddings_shape: Shape) -> Shape:
        return (embeddings_shape[0],)

    def compute_output_spec(
        self, embeddings: Tensor, labels: Tensor, domains: Tensor
    ) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(embeddings.shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        weights = self.class_weights
        return {
            **super().get_config(),
            "num_domains": self.num_domains,
            "num_classes": self.num_classes,
            "alpha": self.alpha,
            "variant": self.variant,
            "clip": self.clip,
            "class_weights": None if weights is None else weights.tolist(),
        }

    def _cells(self, embeddings: Tensor, labels: Tensor, domains: Tensor) -> tuple[Tensor, Tensor]:
        """Return each text's (domain, class) cell, and 1.0 where both codes are in range."""
        labels, is_label = codes(labels, self.num_classes, "labels")
        domains, is_domain = codes(domains, self.num_domains, "domains")
        rank = len(embeddings.shape)
        check(rank == 2, "embeddings", "of shape (batch, hidden)", tuple(embeddings.shape))
        check_rows(embeddings=embeddings, labels=labels, domains=domains)
        inside = ops.logical_and(is_label, is_domain)
        # An index out of range would silently be another cell's.
        cells = ops.where(inside, domains * self.num_classes + labels, 0)
        return cells, ops.cast(inside, "float32")

    @property
    def _number(self) -> int:
        return self.num_domains * self.num_classes

    def _is_for_numpy(self, embeddings: Tensor) -> bool:
        """Return whether a batch outside a graph is little work for numpy.

        Then it is two products with a matrix of few cells. The general way is a dozen passes over
        the batch, two of which only carry it to the backend.
        """
        is_plain = isinstance(embeddings, np.ndarray) and embeddings.dtype == np.float32
        return is_plain and embeddings.size > 0 and self._number <= _FEW_CELLS

    def _numpy_cells(
        self, embeddings: Tensor, labels: Tensor, domains: Tensor
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `_cells` as arrays, the second of booleans."""
        cells, inside = map(ops.convert_to_numpy, self._cells(embeddings, labels, domains))
        return cells, inside > 0

    def _directions(self, centroids: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Return the vector of each cell whose dot product with a unit embedding is t, `(K, M, H)`.

        The mean of cosines is the cosine with the mean of the unit centroids, so the two variants
        differ only in whether the centroids are normalised before or after they are added.
        """
        units = unit(centroids)
        if self.variant == "paper":
            others, number = sum_of_others(units), sum_of_others(present)
        else:
            others = unit(sum_of_others(centroids))
            number = (sum_of_others(present) > 0).astype("float64")
        own, own_weight = self._mean_over_classes(units, present)
        other, other_weight = self._mean_over_classes(others, number)
        own_share = np.where(other_weight > 0, self.alpha, 1.0)
        other_share = np.where(own_weight > 0, 1.0 - self.alpha, 1.0)
        return own_share * own + other_share * other

    def _mean_over_classes(
        self, vectors: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return means for a text of each class, `(K, M, H)`, and their weights, `(K, M, 1)`."""
        weights = weights[..., None]
        if self.class_weights is not None:
            rows = self.class_weights / self.class_weights.sum(axis=-1, keepdims=True)
            rows = np.broadcast_to(rows, (self.num_classes,) * 2)
            vectors, weights = rows @ vectors, rows @ weights
        return ratio(vectors, weights), weights


def _checked_class_weights(value: Any, num_classes: int) -> np.ndarray | None:
    if value is None:
        return None
    weights = np.asarray(value, dtype="float64")
    fits = weights.shape in ((num_classes,), (num_classes, num_classes))
    rule = f"positive, finite and of shape ({num_classes},) or ({num_classes}, {num_classes})"
    check(fits and np.all((weights > 0) & np.isfinite(weights)), "class_weights", rule, value)
    return weights
