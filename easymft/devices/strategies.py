"""Strategies of tf.distribute by name."""

import functools
import os
from typing import TYPE_CHECKING

from easymft.devices.cluster import addresses_of_environment
from easymft.errors import InputError, WorkerError

if TYPE_CHECKING:
    import tensorflow as tf


@functools.cache  # a second one in a process may mix up its messages with the first one's
def make(name: str, tpu: str) -> "tf.distribute.Strategy":
    """Return the strategy `mirrored`, `multi_worker` or `tpu`; see `Distribution.of`."""
    return {"mirrored": _mirrored, "multi_worker": _multi_worker, "tpu": lambda: _tpu(tpu)}[name]()


def suitable() -> str:
    """Return the name of the strategy that fits this machine and its environment."""
    import tensorflow as tf

    if len(addresses_of_environment()) > 1:
        return "multi_worker"
    if tf.config.list_physical_devices("TPU") or "TPU_NAME" in os.environ:
        return "tpu"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one_device"


def _mirrored() -> "tf.distribute.Strategy":
    import tensorflow as tf

    devices = [device.name for device in tf.config.list_logical_devices("GPU")]
    if devices:
        return tf.distribute.MirroredStrategy(devices)
    devices = [device.name for device in tf.config.list_logical_devices("CPU")]
    # Not the collective operations for GPUs, which mix up several strategies of one process.
    return tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())


def _multi_worker() -> "tf.distribute.Strategy":
    import tensorflow as tf

    if not addresses_of_environment():
        raise InputError(
            "`multi_worker` needs the environment variable TF_CONFIG, which names all workers; "
            "`--local_workers 2` sets it for trying it out",
            field="distribution.strategy",
        )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        reason = error.message.split("\n")[0]
        raise WorkerError(f"the workers cannot reach each other ({reason})") from error


def _tpu(address: str) -> "tf.distribute.Strategy":
    import tensorflow as tf

    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(address)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, tf.errors.OpError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(
            f"TPU {address!r} cannot be reached: {reason}", field="distribution.tpu"
        ) from None
