"""What a run computes on, in words."""

import os
import platform
import re
from pathlib import Path

import keras

_CPUINFO = Path("/proc/cpuinfo")


def describe_machine() -> str:
    """Return processor, cores and accelerators: `AMD EPYC 7763 (2 cores), 1 x NVIDIA H200`."""
    found = re.search(r"model name\s*:\s*(.+)", _CPUINFO.read_text()) if _CPUINFO.exists() else None
    processor = found[1] if found else platform.processor() or platform.machine()
    accelerators = _accelerators()
    counted = [f"{accelerators.count(name)} x {name}" for name in dict.fromkeys(accelerators)]
    return ", ".join([f"{processor} ({os.cpu_count()} cores)", *counted])


def _accelerators() -> list[str]:
    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = map(tf.config.experimental.get_device_details, gpus)
    names = [detail.get("device_name", "GPU") for detail in details]
    return names + ["TPU"] * len(tf.config.list_physical_devices("TPU"))
