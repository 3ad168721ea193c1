"""What a training step does differently where several replicas of `tf.distribute` share its batch.

Everything here leaves its arguments alone where there is one replica, or no TensorFlow.
"""

import contextlib
import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from easymft.devices.cluster import worker_addresses

_STEP_OF_SEEDS = 0x9E3779B1  # to a seed that no other generator has


def in_strategy() -> bool:
    """Return whether this is called in the scope of a strategy of `tf.distribute`."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.distribute.has_strategy()


def scope_of(model: keras.Model) -> contextlib.AbstractContextManager:
    """Return the scope of the strategy that a model was made in, which does nothing for none."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    strategy = model.distribute_strategy
    return contextlib.nullcontext() if strategy.num_replicas_in_sync == 1 else strategy.scope()


def has_workers(strategy: Any) -> bool:
    """Return whether the replicas of a strategy (or `None`) belong to several processes."""
    if strategy is None:
        return False
    import tensorflow as tf

    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return False
    return len(worker_addresses(strategy.cluster_resolver.cluster_spec().as_dict())) > 1


def of_whole_batch(loss: Any, texts: Any) -> Any:
    """Return the replica's mean loss, with its gradient in the mean over the whole batch.

    Keras adds up the replicas' gradients with equal weights. That is the gradient of the whole
    batch only if all replicas have equally many texts; the last batch of an epoch rarely divides.

    Args:
        loss: The mean over the replica's texts, a scalar.
        texts: How many they are, a scalar.
    """
    context = _context()
    if context is None:
        return loss
    texts = ops.cast(texts, loss.dtype)
    share = context.num_replicas_in_sync * texts / ops.maximum(total(texts), 1)
    # The value stays the replica's own: Keras weights it by the number of texts by itself.
    return scale_gradient(loss, share)


def scale_gradient(loss: Any, factor: Any) -> Any:
    """Return the loss with `factor` times its gradient."""
    return ops.stop_gradient(loss * (1 - factor)) + loss * factor


def share_a_batch() -> bool:
    """Return whether this is called inside a step that several replicas do."""
    return _context() is not None


def total(value: Any) -> Any:
    """Return the sum of the replicas' values."""
    context = _context()
    return value if context is None else context.all_reduce("SUM", value)


def summed(gradients: Sequence[Any]) -> list[Any]:
    """Return the sum of the replicas' gradients, `None` among them staying `None`."""
    context = _context()
    if context is None:
        return list(gradients)
    there = iter(context.all_reduce("SUM", [g for g in gradients if g is not None]))
    return [None if g is None else next(there) for g in gradients]


def assign_seeds(model: keras.Model, variables: Sequence[Any], states: Sequence[Any]) -> None:
    """Set states of random generators: the first replica's as given, each other's moved away.

    Keras keeps one state per replica but gives all the same, so that all would draw alike.

    Args:
        model: Whose generators they are.
        variables: Of `keras.random.SeedGenerator`.
        states: A seed and a counter each, in the order of `variables`.
    """
    for variable, state in zip(variables, states, strict=True):
        variable.assign(np.asarray(state))
    if keras.backend.backend() != "tensorflow" or not variables:
        return
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync == 1:
        return
    import tensorflow as tf

    @tf.function
    def move() -> None:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        away = tf.stack([tf.cast(replica, tf.int64) * _STEP_OF_SEEDS, 0])
        for variable, state in zip(variables, states, strict=True):
            variable.assign(away + np.asarray(state, "int64"))

    strategy.run(move)


def repair_keras() -> None:
    """Make Keras' `fit` and `evaluate` work where replicas get unlike batches or are remote.

    Before its first step Keras averages the first batch over the replicas, only to see its shapes:
    an error unless all parts are of one size. After each step with several workers it averages
    the logs over their axis 0, which scalars do not have. Reported as keras issue #20585. What
    stands in for both is right for a Keras without these faults too, so no release is asked for.
    Nothing is touched outside the scope of a strategy.

    Raises:
        RuntimeError: This Keras has no such steps to mend.
    """
    if not in_strategy():
        return
    from keras.src.backend.tensorflow import trainer

    # The trainer's own class is called otherwise in every other release.
    kind = next((k for k in keras.Model.__mro__ if "_maybe_symbolic_build" in vars(k)), None)
    for home, name, mended in (
        (trainer, "reduce_per_replica", _reducing_scalars),
        (kind, "_maybe_symbolic_build", _building_on_one_part),
    ):
        original = getattr(home, name, None)
        if original is None:
            raise RuntimeError(
                f"Keras {keras.__version__} has no `{name}`, which easymft mends where several "
                "replicas share a batch: install the Keras that easymft was tested with "
                "(constraints/tested.txt), or take `distribution.strategy` one_device"
            )
        if not hasattr(original, "__wrapped__"):
            setattr(home, name, mended(original))


def _reducing_scalars(original: Any) -> Any:
    @functools.wraps(original)
    def reduce_per_replica(values: Any, strategy: Any, reduction: str) -> Any:
        if reduction not in ("auto", "mean") or not has_workers(strategy):
            return original(values, strategy, reduction)
        return keras.tree.map_structure(lambda v: strategy.reduce("MEAN", v, axis=None), values)

    return reduce_per_replica


def _building_on_one_part(original: Any) -> Any:
    @functools.wraps(original)
    def _maybe_symbolic_build(self: Any, iterator: Any = None, data_batch: Any = None) -> None:
        strategy = self.distribute_strategy
        if iterator is not None and strategy.num_replicas_in_sync > 1:
            iterator.reset()  # that of an evaluation may be at its end
            _, _, batches = next(iter(iterator))
            data_batch = keras.tree.map_structure(
                lambda value: strategy.experimental_local_results(value)[0], next(batches)
            )
            iterator = None
        original(self, iterator, data_batch)

    return _maybe_symbolic_build


def _context() -> Any:
    """Return the `tf.distribute` context inside a step that several replicas do, else `None`."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()  # None while Keras only looks at shapes
    return context if context is not None and context.num_replicas_in_sync > 1 else None
