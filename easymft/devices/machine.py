"""What a run computes on: its name, the precision that is fast there, and whether XLA helps."""

import functools
import logging
from time import perf_counter

import keras
from keras import ops

from easymft.devices.processor import AMX, bfloat16_flag, describe_processor

logger = logging.getLogger(__name__)

_SIZE, _ROUNDS = 768, 5  # of the products by which bfloat16 is judged: some 0.1 s on one core
_GAIN = 1.25  # what half precision must bring at least to be worth its rounding


def describe_machine() -> str:
    """Return processor, cores and accelerators: `AMD EPYC 7763 (2 cores), 1 x NVIDIA H200`."""
    accelerators = _accelerators()
    counted = [f"{accelerators.count(name)} x {name}" for name in dict.fromkeys(accelerators)]
    return ", ".join([describe_processor(), *counted])


def precision_policy(name: str) -> str:
    """Return the Keras dtype policy for a recipe's `precision`; log which when it had to choose.

    Args:
        name: `"auto"` or a policy. `"auto"` is mixed_bfloat16 where the processor computes faster
            in bfloat16 (CPUs with amx_bf16, those with avx512_bf16 whose products prove to be
            faster in it, GPUs from Ampere on, TPUs), float32 elsewhere.
    """
    if name != "auto":
        return name
    faster, reason = _bfloat16_hardware()
    policy = "mixed_bfloat16" if faster else "float32"
    logger.info("Precision: %s (%s).", policy, reason)
    return policy


def has_accelerator() -> bool:
    """Return whether Keras' backend sees a GPU or TPU."""
    return _has("gpu") or _has("tpu")


def jit_compile() -> bool | str:
    """Return what to give to Keras' `compile`: whether XLA compiles the steps.

    JAX needs it. TensorFlow on a CPU does better without: Keras' own choice there compiles every
    shape for up to a minute and then computes more slowly.
    """
    return "auto" if keras.backend.backend() == "jax" or has_accelerator() else False


def _accelerators() -> list[str]:
    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = map(tf.config.experimental.get_device_details, gpus)
    names = [detail.get("device_name", "GPU") for detail in details]
    return names + ["TPU"] * len(tf.config.list_physical_devices("TPU"))


def _has(kind: str) -> bool:
    # Not `list_devices(kind)`, which JAX answers with an error where there is no such device.
    return any(name.startswith(kind) for name in keras.distribution.list_devices())


def _bfloat16_hardware() -> tuple[bool, str]:
    """Return whether bfloat16 is faster here, and why."""
    if _has("tpu"):
        return True, "TPU"
    if _has("gpu"):
        return _gpu_capability() >= (8, 0), "GPU"
    flag = bfloat16_flag()
    if flag is None:
        return False, "no bfloat16 arithmetic found"
    if flag == AMX:
        return True, f"CPU with {flag}"
    gain = _bfloat16_gain()
    return gain >= _GAIN, f"CPU with {flag}, which multiplies {gain:.1f} times as fast as float32"


@functools.cache  # one answer for all models of a process
def _bfloat16_gain() -> float:
    """Measure how much faster matrix products are in bfloat16 than in float32.

    The flag alone does not tell: processors with AMX that a virtual machine hides have it, and
    take twice as long with it.
    """
    square, best = ops.ones((_SIZE, _SIZE)), {}
    for dtype in ("float32", "bfloat16"):
        factor, seconds = ops.cast(square, dtype), []
        for _ in range(_ROUNDS):
            start = perf_counter()
            # NumPy takes no single number in bfloat16.
            ops.convert_to_numpy(ops.cast(ops.matmul(factor, factor)[0, 0], "float32"))
            seconds.append(perf_counter() - start)
        best[dtype] = min(seconds)
    return best["float32"] / best["bfloat16"]


def _gpu_capability() -> tuple[int, int]:
    """Return the compute capability of the first GPU; (0, 0) where the backend does not tell."""
    if keras.backend.backend() == "jax":
        import jax

        text = getattr(jax.devices()[0], "compute_capability", "0.0")
        major, minor = text.split(".")
        return int(major), int(minor)
    import tensorflow as tf

    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    return details.get("compute_capability", (0, 0))
