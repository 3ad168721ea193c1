"""`--mode doctor` says on one screen what is here and what is amiss."""

import subprocess
import sys

import pytest

from easymft import doctor
from easymft.devices import processor

OURS = ["numpy>=1.26", "keras>=3.10", 'apache-beam; extra == "beam"', 'datasets>=3; extra == "hf"']


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Make the machine of a test: distributions, processor and environment."""
    releases = {"numpy": "2.0.1", "keras": "3.11.0", "tensorflow": "2.21.0"}
    monkeypatch.setattr(doctor, "_version", lambda name: releases.get(name))
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: OURS)
    extras = {"beam": "pipelines", "hf": "data of the Hugging Face hub"}
    monkeypatch.setattr(doctor, "EXTRAS", extras)
    monkeypatch.setattr(doctor, "_accelerators", list)
    monkeypatch.setattr(doctor, "_is_installed", lambda name: name == "tensorflow")
    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS"):
        monkeypatch.delenv(name, raising=False)
    return releases


def facts():
    lines, _ = doctor.diagnosis()
    assert len(lines) <= 24
    return {line[:13].strip(): line[13:] for line in lines}


def test_a_sound_machine(installed):
    lines, sound = doctor.diagnosis()
    assert sound
    assert lines[-1] == "nothing amiss"
    assert facts()["extra beam"].startswith("missing, for pipelines")
    assert facts()["extra beam"].endswith('pip install "easymft[beam]"')
    installed["datasets"] = "3.1"
    assert facts()["extra hf"].startswith("there, for data of the Hugging Face hub")
    assert "keras 3.11.0, keras-hub -" in facts()["releases"]


@pytest.mark.parametrize(
    ("releases", "fault"),
    [
        ({"keras": "3.9.2"}, 'keras 3.9.2 is too old; pip install -U "keras>=3.10"'),
        ({"numpy": None}, 'numpy is missing; pip install "numpy>=1.26"'),
        ({"tensorflow-text": "2.20.1"}, "tensorflow and tensorflow-text must be of one release"),
    ],
)
def test_what_is_amiss_is_named(installed, releases, fault):
    installed |= releases
    _, sound = doctor.diagnosis()
    assert not sound
    assert facts()["amiss"].startswith(fault)


def test_a_backend_that_is_not_there(installed, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert facts()["amiss"] == "KERAS_BACKEND=jax; it must be tensorflow or jax, and installed"


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("avx2 avx512f", "auto is float32: this processor does not compute in bfloat16"),
        ("avx2 amx_bf16 avx512_bf16", "auto is mixed_bfloat16: the processor has amx_bf16"),
        (
            "avx2 avx512_bf16",
            "auto is mixed_bfloat16 if avx512_bf16 beats float32 here, as a run measures",
        ),
    ],
)
def test_precision_goes_by_the_processor(installed, monkeypatch, tmp_path, flags, precision):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"model name\t: Some CPU\nflags\t: {flags}\n")
    monkeypatch.setattr(processor, "_CPUINFO", cpuinfo)
    assert facts()["precision"] == precision
    assert "avx2 yes" in facts()["features"]
    monkeypatch.setattr(doctor, "_accelerators", lambda: ["NVIDIA H200"])
    assert facts()["accelerators"] == "NVIDIA H200"
    assert facts()["precision"].startswith("auto is mixed_bfloat16 on GPUs from Ampere on")


@pytest.mark.long
def test_it_starts_neither_tensorflow_nor_keras():
    code = (
        "import sys; from easymft import run, doctor; doctor.diagnosis(); "
        "print({'tensorflow', 'keras', 'jax'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
