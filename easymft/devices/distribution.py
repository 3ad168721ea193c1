"""A run spread over several devices, and over several processes."""

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from easymft import files, preemption
from easymft.devices import faults, start_up, strategies
from easymft.devices.cluster import worker_addresses
from easymft.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

logger = logging.getLogger(__name__)


class Distribution:
    """A strategy of tf.distribute, and what this process is in it.

    All workers do the same stages with the same numbers, in step; the first, the chief, also
    writes what the run leaves.

    Args:
        strategy: `None`: one device, nothing is distributed.

    Example:
    ```python
    distribution = Distribution.of("mirrored")
    with distribution.scope():
        model = MFTTextClassifier(backbone, num_classes=2, num_domains=4)
        model.compile("adamw", loss)
        model.fit(batches.to_keras(), steps_per_epoch=len(batches), shuffle=False)
    ```
    """

    def __init__(self, strategy: "tf.distribute.Strategy | None" = None):
        self.strategy = strategy

    @classmethod
    def of(cls, name: str, tpu: str = "local") -> "Distribution":
        """Make a strategy by its name, before TensorFlow has computed anything.

        Args:
            name: `one_device`; `mirrored`, all GPUs of this machine; `multi_worker`, the workers
                that the environment variable TF_CONFIG names; `tpu`; or `auto`, which is
                `multi_worker` where TF_CONFIG names several workers, else `tpu` or `mirrored`
                where there is a TPU or several GPUs, else `one_device`.
            tpu: Name or gRPC address of the TPU; `local`: the one of this machine.

        Raises:
            InputError: The backend or the machine cannot do it.
        """
        import keras

        backend = keras.backend.backend()
        if name == "auto":
            name = strategies.suitable() if backend == "tensorflow" else "one_device"
        if name == "one_device":
            made = cls()
        elif backend != "tensorflow":
            raise InputError(
                f"`{name}` needs Keras on TensorFlow, this is {backend}; take `one_device`",
                field="distribution.strategy",
            )
        else:
            made = cls(strategies.make(name, tpu))
            preemption.listen_again()  # TensorFlow's server of several workers takes SIGTERM
            logger.info(
                "Distribution: %s, %d replicas, %d workers.", name, made.replicas, made.workers
            )
        if backend == "tensorflow":
            start_up.compute_first_op()
        return made

    @classmethod
    def current(cls) -> "Distribution":
        """Return that of the scope that this is called in."""
        from easymft.devices import replicas

        if not replicas.in_strategy():
            return cls()
        import tensorflow as tf

        return cls(tf.distribute.get_strategy())

    @property
    def replicas(self) -> int:
        """Number of copies of the model, each of which does its part of every batch."""
        return 1 if self.strategy is None else self.strategy.num_replicas_in_sync

    @property
    def workers(self) -> int:
        """Number of processes that do the run together."""
        resolver = self._resolver
        return 1 if resolver is None else len(worker_addresses(resolver.cluster_spec().as_dict()))

    @property
    def is_chief(self) -> bool:
        """True for the process that writes what the run leaves."""
        resolver = self._resolver
        if self.workers == 1:
            return True
        first = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
        return (resolver.task_type, resolver.task_id) == (first, 0)

    def scope(self) -> contextlib.AbstractContextManager:
        """Return the context in which models are made and used."""
        return contextlib.nullcontext() if self.strategy is None else self.strategy.scope()

    def all_reduce_sum(self, value: int) -> int:
        """Return the sum of the workers' values; waits for all of them."""
        if self.workers == 1:
            return value
        import tensorflow as tf

        number = tf.constant(value, tf.int64)
        parts = self.strategy.run(tf.identity, args=(number,))
        local_replicas = self.replicas // self.workers
        return int(self.strategy.reduce("SUM", parts, axis=None)) // local_replicas

    def any_worker(self, flag: bool) -> bool:
        """Return whether it is so on any worker; waits for all of them."""
        return self.all_reduce_sum(int(flag)) > 0

    def barrier(self) -> None:
        """Wait until all workers are here."""
        self.all_reduce_sum(0)

    @contextlib.contextmanager
    def only_chief_writes(self, folder: Path) -> Iterator[None]:
        """While the block runs, what other workers write below `folder` is dropped."""
        if self.is_chief:
            yield
            return
        with tempfile.TemporaryDirectory() as own, files.redirected(folder, Path(own)):
            yield

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Turn errors about other workers and about full memory into one line each.

        Raises:
            WorkerError: Another worker ended or cannot be reached.
            MemoryError: A device has no room for a step.
        """
        with faults.told_in_a_line(self.workers):
            yield

    @property
    def _resolver(self) -> Any:
        """Return who is who among several workers; `None` where there is one."""
        if self.strategy is None:
            return None
        from easymft.devices import replicas

        return self.strategy.cluster_resolver if replicas.has_workers(self.strategy) else None
