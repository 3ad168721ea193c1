import importlib.util
import io
import signal
import subprocess
import sys
import tarfile
import zipfile

import pytest

from easymft import preemption
from easymft.errors import InputError
from easymft.fetch import pip_download as module
from easymft.fetch.pip_download import pip_download
from easymft.preemption import Stopped


@pytest.fixture(autouse=True)
def links(tmp_path, monkeypatch):
    """A folder that stands for the package index, so that the real pip runs without a network."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.mark.long
def test_a_source_archive_comes_whole_and_none_of_its_code_runs(tmp_path, links):
    ran = tmp_path / "ran"
    setup = f"open({str(ran)!r}, 'w').close()\nfrom setuptools import setup\nsetup()\n"
    info = "Metadata-Version: 2.1\nName: tiny-corpus\nVersion: 1.0\nSummary: a: b\n"
    archive = links / "tiny-corpus-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        for name, text in {"setup.py": setup, "PKG-INFO": info, "data.txt": "hello"}.items():
            member = tarfile.TarInfo(f"tiny-corpus-1.0/{name}")
            member.size = len(text)
            opened.addfile(member, io.BytesIO(text.encode()))
    got = pip_download("tiny-corpus==1.0", "sdist", tmp_path / "pip")
    assert got.read_bytes() == archive.read_bytes()
    assert not ran.exists()


@pytest.mark.long
def test_a_wheel_comes_without_its_dependencies(tmp_path, links):
    wheel = links / "tiny_model-1.0-py3-none-any.whl"
    info = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: absent-thing\n"
    with zipfile.ZipFile(wheel, "w") as opened:
        opened.writestr("tiny_model-1.0.dist-info/METADATA", info)
        opened.writestr("tiny_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        opened.writestr("tiny_model-1.0.dist-info/RECORD", "")
    got = pip_download("tiny-model==1.0", "wheel", tmp_path / "pip")
    assert got.read_bytes() == wheel.read_bytes()


@pytest.mark.long
def test_what_pip_cannot_get_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"could not get tiny==1 .*PIP_FIND_LINKS"):
        pip_download("tiny==1", "wheel", tmp_path / "pip")


def test_missing_pip_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="ensurepip") as caught:
        pip_download("tiny==1", "wheel", tmp_path / "pip")
    assert sys.executable in str(caught.value)


def test_pip_is_ended_with_the_program(monkeypatch):
    processes = []

    class Process(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            processes.append(self)

    def stop():
        raise Stopped

    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(preemption, "check", stop)
    with pytest.raises(Stopped):
        module._run([sys.executable, "-c", "import time; time.sleep(100)"], {})
    assert processes[0].returncode == -signal.SIGKILL
