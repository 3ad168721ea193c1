"""Freed memory stays with the process."""

import subprocess
import sys

import pytest

# Page faults of writing to 64 MB five times over, each time in a block of its own.
PROGRAM = """
import ctypes, resource, sys
from easymft.devices.freed_memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    block = libc.malloc(64 << 20)
    ctypes.memset(block, 1, 64 << 20)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_a_block_that_was_freed_is_used_again():
    def faults(how: str) -> int:
        command = [sys.executable, "-c", PROGRAM, how]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    kept, returned = faults("keep"), faults("return")
    assert kept * 2 < returned  # mapped once instead of five times
