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


@pytest.mark.parametrize(
    ("flag", "gain", "policy", "reason"),
    [
        (None, None, "float32", "no bfloat16 arithmetic found"),
        ("amx_bf16", None, "mixed_bfloat16", "CPU with amx_bf16"),
        ("avx512_bf16", 1.8, "mixed_bfloat16", "1.8 times as fast as float32"),
        ("avx512_bf16", 0.5, "float32", "0.5 times as fast as float32"),
    ],
)
def test_auto_is_the_faster_precision(monkeypatch, caplog, flag, gain, policy, reason):
    monkeypatch.setattr(machine, "bfloat16_flag", lambda: flag)
    monkeypatch.setattr(machine, "_bfloat16_gain", lambda: gain)  # fails where it must not be asked
    with caplog.at_level("INFO"):
        assert machine.precision_policy("auto") == policy
    assert reason in caplog.text
    assert machine.precision_policy("mixed_bfloat16") == "mixed_bfloat16"


def test_products_are_timed_once(monkeypatch):
    monkeypatch.setattr(machine.ops, "matmul", lambda a, b: clock.product(a))
    clock = Clock()
    monkeypatch.setattr(machine, "perf_counter", clock.look)
    machine._bfloat16_gain.cache_clear()
    try:
        assert machine._bfloat16_gain() == pytest.approx(1 / 3)
        looks = clock.looks
        assert machine._bfloat16_gain() == pytest.approx(1 / 3)
        assert clock.looks == looks
    finally:
        machine._bfloat16_gain.cache_clear()


class Clock:
    """A clock that only products move."""

    def __init__(self):
        self.now, self.looks = 0.0, 0

    def look(self):
        self.looks += 1
        return self.now

    def product(self, a):
        self.now += 3e-9 if "bfloat16" in str(a.dtype) else 1e-9
        return a
