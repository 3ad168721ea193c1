from pathlib import Path

import pytest

from easymft.errors import InputError
from easymft.fetch.cache import cache_dir, check_writable


def test_the_environment_names_the_folder(monkeypatch):
    monkeypatch.setenv("EASYMFT_CACHE_DIR", "~/mine")
    assert cache_dir() == Path.home() / "mine"
    monkeypatch.delenv("EASYMFT_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_dir() == Path("/xdg/easymft")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache/easymft"


def test_a_user_without_a_home_is_asked_for_one(monkeypatch):
    monkeypatch.delenv("EASYMFT_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "~no-such-user/cache")
    with pytest.raises(InputError, match="`EASYMFT_CACHE_DIR`: no home folder"):
        cache_dir()


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(tmp_path / "a/b"))
    check_writable()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").touch()
    with pytest.raises(InputError, match=r"a/b: this cache .*a is no folder .* EASYMFT_CACHE_DIR$"):
        check_writable()
