"""Batches of texts of similar length, padded little, in an order that can be taken up anywhere."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from easymft.data.batches.tf_datasets import without_autotuning
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.cells import apportion, joined

BUCKETS = (32, 64, 96, 128, 192, 256, 384, 512)
# A fifth less to compute on MultiNLI's pairs; for where a new shape costs nothing.
FINE_BUCKETS = (*range(16, 64, 8), *range(64, 128, 16), *range(128, 256, 32), *range(256, 513, 64))
_PREFETCHED = 2  # batches made while a step computes
WINDOW = 50  # batches among which texts are sorted by length: enough to pad little, still random
# Windows of an epoch at least: the texts of a small corpus would else meet the same few others in
# every epoch.
LEAST_WINDOWS = 4


def bucket_lengths(compiled: bool) -> tuple[int, ...]:
    """Return lengths to pad to: few where every shape is `compiled` by XLA, else many."""
    return BUCKETS if compiled else FINE_BUCKETS


class Batches(keras.utils.PyDataset):
    """Batches for `fit`, `evaluate` and `predict`.

    Batch i is `(inputs, labels)` or `(inputs, labels, weights)`. `inputs` holds `token_ids`,
    `padding_mask` and `segment_ids`, each `(batch, length)`, and `domain`, `(batch,)`; labels and
    weights are `(batch,)`. Weights are float32, all else int32. `length` is the smallest bucket
    that holds the longest text of the batch, so few shapes occur. With `targets` these come in the
    place of the labels, `(batch, classes)` float32.

    The global step says everything: step s is batch `s % steps_per_epoch` of epoch
    `s // steps_per_epoch`, and `batch_plan` gives that epoch's batches from the seed. `span` cuts
    out any steps, over several epochs too, so a run stopped after step s goes on with the same
    batches from `span(s, stop)`. Reading a batch changes nothing, so threads may do it.

    Give `to_keras()` to Keras, with `shuffle=False`, which keeps it from mixing the batches anew.

    Args:
        tokens: The texts.
        rows: int array `(n,)`, the rows of `tokens` to use.
        batch_size: Texts per batch, of all replicas of a distribution strategy together.
        seed: Seed of the order. None sorts by length, for evaluation.
        buckets: Ascending lengths to pad to; beyond the last, and with none, `tokens.max_length`.
        sample_weight: float array `(n,)`, weights of `rows`.
        domains: int array `(n,)`, domains of `rows` in place of those of `tokens`.
        targets: float array `(n, classes)`, what `rows` are taught in place of their labels.
        start: First global step.
        stop: Step after the last; by default the end of the epoch that `start` lies in.
        parts: Parts that the batch of each step comes in, one after the other, as an optimizer
            wants them that accumulates gradients. `inputs` then holds `share`, `(batch,)`, by
            which a part's mean loss is to be multiplied: 1 where all parts are of one size.
        groups: int array `(n,)`, groups of `rows`; every epoch sees equally many texts of each:
            those of small groups come more often, those of large ones not in every epoch.
        **kwargs: Of `keras.utils.PyDataset`.

    Example:
    ```python
    batches = Batches(tokens, splits["train"], batch_size=32, seed=1)
    steps = batches.steps_per_epoch
    model.fit(batches.span(0, 3 * steps).to_keras(), epochs=3, steps_per_epoch=steps, shuffle=False)
    test = Batches(tokens, splits["test"], batch_size=128)
    logits = test.in_input_order(model.predict(test.to_keras())["logits"])
    ```
    """

    def __init__(
        self,
        tokens: TokenizedTexts,
        rows: np.ndarray,
        batch_size: int,
        *,
        seed: int | None = None,
        buckets: tuple[int, ...] = BUCKETS,
        sample_weight: np.ndarray | None = None,
        domains: np.ndarray | None = None,
        targets: np.ndarray | None = None,
        start: int = 0,
        stop: int | None = None,
        parts: int = 1,
        groups: np.ndarray | None = None,
        by_length: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self._arguments = dict(
            tokens=tokens,
            rows=rows,
            batch_size=batch_size,
            seed=seed,
            buckets=buckets,
            sample_weight=sample_weight,
            domains=domains,
            targets=targets,
            parts=parts,
            groups=groups,
            by_length=by_length,
            **kwargs,
        )
        rows = np.asarray(rows)
        _check_counts(batch_size=batch_size, parts=parts)
        _check_aligned(rows, sample_weight=sample_weight, domains=domains, groups=groups)
        self.steps_per_epoch = math.ceil(len(rows) / batch_size)
        stop = (start // self.steps_per_epoch + 1) * self.steps_per_epoch if stop is None else stop
        if not 0 <= start <= stop:
            raise ValueError(f"`start` must be in [0, `stop`]. Received: {start}, {stop}")
        self.tokens, self.rows, self.batch_size, self.seed = tokens, rows, batch_size, seed
        self.start, self.stop, self.parts = start, stop, parts
        self._labels = tokens.labels[rows].astype(np.int32)
        if targets is not None:
            _check_aligned(rows, targets=targets[:, 0])
            self._labels = np.asarray(targets, np.float32)
        self._domains = np.asarray(tokens.domains[rows] if domains is None else domains, np.int32)
        self._weights = None if sample_weight is None else np.asarray(sample_weight, np.float32)
        self._buckets, self._lengths = np.array(buckets, int), tokens.lengths[rows]
        # Sorting texts of one length changes nothing.
        sorted_by = self._lengths if by_length else np.zeros(len(rows), int)
        self._plan = functools.lru_cache(maxsize=2)(
            functools.partial(batch_plan, sorted_by, batch_size, seed, groups=groups)
        )

    def __len__(self) -> int:
        return (self.stop - self.start) * self.parts

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self.shard(index, 0, 1)

    def shard(self, index: int, number: int, count: int) -> tuple[Any, ...]:
        """Return every `count`-th text of batch `index`, from `number`, as wide as the whole batch.

        It is empty where the batch has `number` texts or fewer.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be in [0, {len(self)}). Received: {index}")
        step, part = divmod(index, self.parts)
        texts = self._texts(self.start + step)
        places = np.arange(len(texts))[part :: self.parts]
        share, own = self.parts * len(places) / len(texts), places[number::count]
        width = self._width(self._lengths[texts].max())
        inputs, *others = self._batch(self.start + step, texts, own, width)
        if self.parts > 1:
            inputs["share"] = np.full(len(own), share, np.float32)
        return (inputs, *others)

    def _batch(self, step: int, texts: np.ndarray, own: np.ndarray, width: int) -> tuple[Any, ...]:
        """Return the texts at some places of a step's batch: inputs, labels and any weights."""
        texts = texts[own]
        batch = (self._inputs(texts, width), self._labels[texts])
        return batch if self._weights is None else (*batch, self._weights[texts])

    def span(self, start: int, stop: int) -> "Batches":
        """Return the global steps from `start` to before `stop`, over epochs as they come."""
        return type(self)(**self._arguments, start=start, stop=stop)

    def pass_over(self, steps: int) -> None:
        """Begin so many steps later, with the same end."""
        self.start = min(self.start + steps, self.stop)

    def weighted(self, sample_weight: np.ndarray | None) -> "Batches":
        """Return the same batches with these weights of `rows`."""
        arguments = {**self._arguments, "sample_weight": sample_weight}
        return type(self)(**arguments, start=self.start, stop=self.stop)

    def to_keras(self) -> Any:
        """Return what `fit`, `evaluate` and `predict` take on the Keras backend in use.

        Under a strategy of tf.distribute every replica gets its shard of every batch. Tell Keras
        the number of steps then, `len(self)`, because it would count the shards.
        """
        if keras.backend.backend() != "tensorflow":
            return self
        import tensorflow as tf

        strategy = tf.distribute.get_strategy()
        if strategy.num_replicas_in_sync == 1:
            return self.as_tf_dataset()
        return strategy.distribute_datasets_from_function(self._of_worker)

    def as_tf_dataset(self, shards: Sequence[int] = (0,), count: int = 1) -> Any:
        """Return these batches as a `tf.data.Dataset` whose batch size and length are open.

        Keras takes the shapes of a PyDataset from its first two batches, and TensorFlow then
        rejects another length; here the shapes are stated, and a model is traced once for all.

        Args:
            shards: Numbers of the shards to give of each batch, one after the other.
            count: Of all shards.
        """
        import tensorflow as tf

        def parts():
            for index in range(len(self)):
                for number in shards:
                    yield self.shard(index, number, count)

        dataset = tf.data.Dataset.from_generator(parts, output_signature=self._signature())
        cardinality = tf.data.experimental.assert_cardinality(len(self) * len(shards))
        return without_autotuning(dataset.apply(cardinality).prefetch(_PREFETCHED))

    def _signature(self) -> Any:
        """Return the specifications of a batch's tensors, open where batches differ."""
        import tensorflow as tf

        def of_any_length(array: np.ndarray) -> Any:
            return tf.TensorSpec([None] * array.ndim, array.dtype)

        def of_any_batch(array: np.ndarray) -> Any:
            return tf.TensorSpec([None, *array.shape[1:]], array.dtype)

        inputs, *others = self[0]
        return (keras.tree.map_structure(of_any_length, inputs), *map(of_any_batch, others))

    def _of_worker(self, context: Any) -> Any:
        """Return the shards of one worker's replicas, whose `tf.distribute.InputContext` it is."""
        workers, replicas = context.num_input_pipelines, context.num_replicas_in_sync
        # Keras joins the outputs of a step in this order: every worker's first replica, ...
        return self.as_tf_dataset(range(context.input_pipeline_id, replicas, workers), replicas)

    def in_input_order(self, outputs: Any, shards: int = 1) -> Any:
        """Put one epoch's outputs, as `predict` returns them, in the order of `rows`.

        Args:
            outputs: Arrays `(n, ...)`, alone or in a dict.
            shards: Replicas of the strategy that the batches were fed to.

        Raises:
            ValueError: These batches are not one whole epoch.
        """
        steps = [self._texts(step) for step in range(self.start, self.stop)]
        order = [texts[shard::shards] for texts in steps for shard in range(shards)]
        order = np.concatenate(order) if order else np.array([], int)
        whole = len(order) == len(self.rows) and not self.start % self.steps_per_epoch
        if not whole or self.parts > 1:
            raise ValueError(
                "Only the outputs of one whole epoch in one part can be put in order. "
                f"Received: steps {self.start} to {self.stop} in {self.parts} parts"
            )
        inverse = np.argsort(order)
        return keras.tree.map_structure(lambda array: np.asarray(array)[inverse], outputs)

    def _texts(self, step: int) -> np.ndarray:
        """Return the positions in `rows` of the texts of a global step."""
        epoch, index = divmod(step, self.steps_per_epoch)
        return self._plan(epoch)[index]

    def _width(self, longest: int) -> int:
        bucket = np.searchsorted(self._buckets, longest)
        fits = bucket < len(self._buckets) and self._buckets[bucket] < self.tokens.max_length
        return int(self._buckets[bucket]) if fits else self.tokens.max_length

    def _inputs(self, texts: np.ndarray, width: int) -> dict[str, np.ndarray]:
        rows, position = self.rows[texts], np.arange(width)
        padding_mask = position < self._lengths[texts, None]
        # Positions past the end read a neighbour's token, which the mask replaces.
        places = np.minimum(self.tokens.offsets[rows, None] + position, self.tokens.offsets[-1] - 1)
        token_ids = np.where(padding_mask, self.tokens.token_ids[places], self.tokens.pad_id)
        in_second = padding_mask & (position >= self.tokens.second_start[rows, None])
        return {
            "token_ids": token_ids.astype(np.int32),
            # Not bool, which Keras cannot sum over the replicas of a distribution strategy.
            "padding_mask": padding_mask.astype(np.int32),
            "segment_ids": in_second.astype(np.int32),
            "domain": self._domains[texts],
        }


def _check_counts(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"`{name}` must be at least 1. Received: {count}")


def _check_aligned(rows: np.ndarray, **given: np.ndarray | None) -> None:
    if not len(rows):
        raise ValueError("`rows` must name at least one text. Received: none")
    for name, values in given.items():
        if values is not None and np.shape(values) != rows.shape:
            raise ValueError(
                f"`{name}` must have one value for each of `rows`, shape {rows.shape}. "
                f"Received: shape {np.shape(values)}"
            )


def batch_plan(
    lengths: np.ndarray,
    batch_size: int,
    seed: int | None,
    epoch: int = 0,
    groups: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Say which texts go together in which order: a pure function of its arguments.

    Every text comes once, unless there are groups; only the last batch may be smaller. With a seed
    the texts are mixed, sorted by length within windows of `WINDOW` batches, fewer in an epoch of
    less than `LEAST_WINDOWS` of these, and the batches mixed again; without one all texts are
    sorted by length, longest first, so that memory runs out at once or never.

    Args:
        lengths: int array `(n,)`, tokens of each text.
        batch_size: Texts per batch.
        seed: Seed of the order, or None.
        epoch: Number of the epoch; each has its own order.
        groups: int array `(n,)`, see `Batches`; needs a seed.

    Returns:
        Positions in `lengths`, an int array a batch.
    """
    lengths = np.asarray(lengths)
    if seed is None:
        return _cut(np.argsort(-lengths, kind="stable"), batch_size)
    random = np.random.Generator(np.random.PCG64([seed, epoch]))
    order = random.permutation(len(lengths)) if groups is None else _balanced(groups, random)
    # The rest is drawn before sorting, so that it is not made of the longest or shortest texts.
    full = len(order) // batch_size * batch_size
    window = max(1, min(WINDOW, full // batch_size // LEAST_WINDOWS))
    batches = []
    for texts in _cut(order[:full], window * batch_size):
        batches += _cut(texts[np.argsort(lengths[texts], kind="stable")], batch_size)
    mixed = [batches[index] for index in random.permutation(len(batches))]
    return mixed + _cut(order[full:], batch_size)


def _balanced(groups: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw as many positions as there are, equally many of each group, in a random order."""
    _, group = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(group == number) for number in range(group.max() + 1)]
    drawn = []
    for own, count in zip(members, apportion(len(groups), np.ones(len(members), int)), strict=True):
        # Whole rounds, so that texts of one group come equally often, give or take one.
        rounds = [random.permutation(own) for _ in range(-(-count // len(own)))]
        drawn.append(joined(rounds)[:count])
    return random.permutation(joined(drawn))


def _cut(order: np.ndarray, size: int) -> list[np.ndarray]:
    return [order[start : start + size] for start in range(0, len(order), size)]
