"""How every `tf.data.Dataset` of ours is set."""

from typing import Any


def without_autotuning(dataset: Any) -> Any:
    """Return the same `tf.data.Dataset`, whose iterator ends as soon as its last element is used.

    With autotuning the end of an iterator waits for a tuner that sleeps for 10 ms, 20 ms, 40 ms
    and so on (seen on TensorFlow 2.21, where its wake-up call is lost): a `fit` with 25 s of work
    ended 41 s after its start. Ours have no setting to tune.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
