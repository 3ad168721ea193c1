"""What the processor of this machine can do, asked without starting TensorFlow."""

import os
import platform
import re
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
AMX = "amx_bf16"  # many times the rate of float32
BFLOAT16_FLAGS = (AMX, "avx512_bf16")
# Least to most; what oneDNN chooses its kernels by.
_FEATURES = ("avx2", "avx512f", "avx512_vnni", *reversed(BFLOAT16_FLAGS))


def describe_processor() -> str:
    """Return its name and cores: `AMD EPYC 7763 (2 cores)`."""
    found = re.search(r"model name\s*:\s*(.+)", _CPUINFO.read_text()) if _CPUINFO.exists() else None
    name = found[1] if found else platform.processor() or platform.machine()
    return f"{name} ({os.cpu_count()} cores)"


def features() -> dict[str, bool]:
    """Return which instructions that training gains from there are; none where Linux is not."""
    flags = _CPUINFO.read_text().split() if _CPUINFO.exists() else []
    return {name: name in flags for name in _FEATURES}


def bfloat16_flag() -> str | None:
    """Return the name of the instructions that compute in bfloat16, the fastest, or None."""
    found = features()
    return next((flag for flag in BFLOAT16_FLAGS if found[flag]), None)
