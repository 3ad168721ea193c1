import os

import jax
import pytest

from easymft.devices import machine, processor


class Device:
    def __init__(self, platform, kind):
        self.platform, self.device_kind = platform, kind


def test_names_processor_and_cores(monkeypatch, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t: a b\n" * 2)
    monkeypatch.setattr(processor, "_CPUINFO", cpuinfo)
    monkeypatch.setattr(machine, "_accelerators", list)
    assert machine.describe_machine() == f"Some CPU @ 2 GHz ({os.cpu_count()} cores)"
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "missing")
    assert machine.describe_machine().endswith(f" ({os.cpu_count()} cores)")


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ([Device("cpu", "cpu")], "cores)"),
        ([Device("gpu", "NVIDIA H200")] * 2, "cores), 2 x NVIDIA H200"),
    ],
)
def test_counts_accelerators(monkeypatch, devices, words):
    monkeypatch.setattr(machine.keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(jax, "devices", lambda: devices)
    assert machine.describe_machine().endswith(words)


def test_asks_this_machine():
    assert "cores)" in machine.describe_machine()
