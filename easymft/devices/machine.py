"""What a run computes on: its name, the precision that is fast there, and whether XLA helps."""

import logging

import keras

from easymft.devices.processor import bfloat16_flag, describe_processor

logger = logging.getLogger(__name__)


def describe_machine() -> str:
    """Return processor, cores and accelerators: `AMD EPYC 7763 (2 cores), 1 x NVIDIA H200`."""
    accelerators = _accelerators()
    counted = [f"{accelerators.count(name)} x {name}" for name in dict.fromkeys(accelerators)]
    return ", ".join([describe_processor(), *counted])


def precision_policy(name: str) -> str:
    """Return the Keras dtype policy for a recipe's `precision`; log which when it had to choose.

    Args:
        name: `"auto"` or a policy. `"auto"` is mixed_bfloat16 where the processor computes in
            bfloat16 (CPUs with avx512_bf16 or amx_bf16, GPUs from Ampere on, TPUs), float32
            elsewhere.
    """
    if name != "auto":
        return name
    reason = _bfloat16_hardware()
    policy = "mixed_bfloat16" if reason else "float32"
    logger.info("Precision: %s (%s).", policy, reason or "no bfloat16 arithmetic found")
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


def _bfloat16_hardware() -> str | None:
    if _has("tpu"):
        return "TPU"
    if _has("gpu"):
        return "GPU" if _gpu_capability() >= (8, 0) else None
    flag = bfloat16_flag()
    return f"CPU with {flag}" if flag else None


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
