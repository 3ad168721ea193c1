import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from easymft import files
from easymft.errors import InputError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def make_folder(path, **contents):
    path.mkdir()
    for name, text in contents.items():
        (path / name).write_text(text)


def test_nothing_is_visible_before_the_block_ends(tmp_path):
    with files.staged(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_parents_are_made(tmp_path):
    files.write_text(tmp_path / "a" / "b" / "c.txt", "deep")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "deep"


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5", "a.parquet", "plain"])
def test_suffix_stays_and_the_name_is_hidden_beside_the_final_one(tmp_path, name):
    with files.staged(tmp_path / name) as temporary:
        assert temporary.name.endswith(name)
        assert temporary.name.startswith(".")
        assert temporary.parent == tmp_path
        temporary.touch()


def test_two_writers_at_once_use_two_names(tmp_path):
    with files.staged(tmp_path / "a") as one, files.staged(tmp_path / "a") as two:
        assert one != two
        one.write_text("1")
        two.write_text("2")
    assert (tmp_path / "a").read_text() == "1"  # the outer block ends last
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, fault):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(fault), files.staged(tmp_path / "a.txt") as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise fault
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_failure_leaves_the_old_folder_and_nothing_else(tmp_path):
    make_folder(tmp_path / "a", old="old")
    with pytest.raises(RuntimeError), files.staged(tmp_path / "a") as temporary:  # noqa: PT012
        make_folder(temporary, new="half")
        raise RuntimeError
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["old"]


@pytest.mark.parametrize("old", ["nothing", "a file", "a folder"])
def test_block_that_writes_nothing_fails_and_destroys_nothing(tmp_path, old):
    path = tmp_path / "a"
    if old == "a file":
        path.write_text("old")
    elif old == "a folder":
        make_folder(path, old="old")
    before = names(tmp_path)
    with pytest.raises(FileNotFoundError), files.staged(path):
        assert names(tmp_path) == before
    assert names(tmp_path) == before
    if old == "a folder":
        assert names(path) == ["old"]


@pytest.mark.parametrize("one_step", [True, False])
@pytest.mark.parametrize("old", ["file", "folder"])
@pytest.mark.parametrize("new", ["file", "folder"])
def test_new_replaces_old_whatever_they_are(tmp_path, monkeypatch, old, new, one_step):
    if not one_step:
        monkeypatch.setattr(files.sys, "platform", "elsewhere")
    path = tmp_path / "a"
    make_folder(path, old="old") if old == "folder" else path.write_text("old")
    with files.staged(path) as temporary:
        make_folder(temporary, new="new") if new == "folder" else temporary.write_text("new")
    assert names(tmp_path) == ["a"]
    if new == "folder":
        assert names(path) == ["new"]
    else:
        assert path.read_text() == "new"


def test_failed_swap_in_three_steps_puts_the_old_folder_back(tmp_path, monkeypatch):
    monkeypatch.setattr(files.sys, "platform", "elsewhere")
    make_folder(tmp_path / "a", old="old")
    with pytest.raises(FileNotFoundError):
        files._exchange(tmp_path / "missing", tmp_path / "a")
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["old"]


def test_link_to_a_folder_is_replaced_and_its_target_kept(tmp_path):
    make_folder(tmp_path / "target", old="old")
    (tmp_path / "link").symlink_to("target")
    with files.staged(tmp_path / "link") as temporary:
        make_folder(temporary, new="new")
    assert names(tmp_path) == ["link", "target"]
    assert names(tmp_path / "link") == ["new"]
    assert names(tmp_path / "target") == ["old"]


@pytest.mark.skipif(sys.platform != "linux", reason="one step on Linux only")
def test_folder_is_replaced_in_one_step(tmp_path, monkeypatch):
    path = tmp_path / "a"
    make_folder(path, old="old")

    def no_second_step(*names):
        raise AssertionError(f"a kill before this rename leaves no folder: {names}")

    monkeypatch.setattr(Path, "rename", no_second_step)
    with files.staged(path) as temporary:
        make_folder(temporary, new="new")
    assert names(path) == ["new"]
    assert names(tmp_path) == ["a"]


def test_killed_at_any_moment_a_folder_is_whole(tmp_path):
    # The writer's two files of a folder always hold the same number.
    writer = """if True:
        import sys, itertools
        from easymft import files
        for number in itertools.count():
            with files.staged(sys.argv[1]) as folder:
                folder.mkdir()
                (folder / "one").write_text(str(number))
                (folder / "two").write_text(str(number))
            if number == 3:
                print("ready", flush=True)
    """
    path = tmp_path / "a"
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", writer, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(files.__file__).parents[1],
        )
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert names(path) == ["one", "two"]
        assert (path / "one").read_text() == (path / "two").read_text() != ""


@pytest.mark.parametrize("folder", [False, True])
def test_bytes_are_on_disk_before_the_final_name(tmp_path, monkeypatch, folder):
    path = tmp_path / "a"
    flushed = []

    def fsync(descriptor):
        assert not path.exists()
        flushed.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(files.os, "fsync", fsync)
    with files.staged(path) as temporary:
        if folder:
            (temporary / "deep").mkdir(parents=True)
            written = [temporary / "one", temporary / "deep" / "two"]
        else:
            written = [temporary]
        for file in written:
            file.write_text("x")
        inodes = {file.stat().st_ino for file in written}
    assert set(flushed) == inodes


def test_text_is_utf8_with_plain_line_ends(tmp_path):
    files.write_text(tmp_path / "a", "ä\n\U0001f600\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa4\n\xf0\x9f\x98\x80\n"


def test_text_that_cannot_be_encoded_leaves_nothing(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        files.write_text(tmp_path / "a", "\ud800")
    assert names(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b"NaN }"])
def test_json_that_is_damaged(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.json: is damaged: no whole JSON file"):
        files.read_json(tmp_path / "a.json")


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_parquet_that_is_damaged(tmp_path, share):
    path = tmp_path / "a.parquet"
    files.write_parquet(path, pa.table({"a": range(1000)}))
    assert files.read_parquet(path, columns=["a"])["a"].to_pylist() == list(range(1000))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(
        InputError, match=r"a\.parquet: is damaged: no whole Parquet file \("
    ) as caught:
        files.read_parquet(path)
    assert "\n" not in str(caught.value)


def test_what_keeps_a_user_from_writing_is_named(tmp_path):
    assert files.obstacle(tmp_path / "new" / "deeper") is None
    assert files.obstacle("relative/and/new") is None
    (tmp_path / "file").touch()
    assert files.obstacle(tmp_path / "file" / "x") == (
        f"{tmp_path / 'file'} is no folder that this user may write in"
    )
    assert files.obstacle(tmp_path / ("n" * 5000)) is None  # whoever makes it is told


def test_json_round_trip(tmp_path):
    value = {"a": [1, 0.1, None, True], "ä": {"b": "\u2028"}}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "ä" in text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1}, object()])
def test_what_json_cannot_say_keeps_the_old_file(tmp_path, value):
    files.write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises((ValueError, TypeError)):
        files.write_json(tmp_path / "a.json", {"new": value})
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1}
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("books", "books"),
        ("home & kitchen", "home-kitchen"),
        ("../../etc", "etc"),
        ("ÄÖ", "unnamed"),
        ("", "unnamed"),
        ("..", "unnamed"),
        ("x" * 61, "x" * 60),
    ],
)
def test_slug(name, expected):
    assert files.slug(name) == expected


def test_what_belongs_to_another_process_is_written_elsewhere(tmp_path):
    run, own = tmp_path / "run", tmp_path / "own"
    files.write_text(run / "kept.txt", "of the chief")
    with files.redirected(run, own):
        files.write_text(run / "a/new.txt", "mine")
        files.write_text(run / "kept.txt", "mine")
        files.remove(run / "kept.txt")
        files.write_text(tmp_path / "other.txt", "not in the folder")
        assert files.place(run / "logs") == own / "logs"
    assert [path.name for path in run.iterdir()] == ["kept.txt"]
    assert (run / "kept.txt").read_text() == "of the chief"
    assert (own / "a/new.txt").read_text() == "mine"
    assert (tmp_path / "other.txt").exists()
    assert files.place(run / "logs") == run / "logs"


def test_a_full_disk_is_told_whatever_a_library_raises(tmp_path, monkeypatch):
    def fail():
        with files.staged(tmp_path / "model.h5") as path:
            path.write_bytes(b"half")
            raise RuntimeError("Unable to flush")

    with pytest.raises(RuntimeError, match="Unable to flush"):
        fail()
    usage = shutil._ntuple_diskusage(100, 100, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"No space left.*model\.h5") as raised:
        fail()
    assert raised.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def test_what_killed_writers_left_goes_unless_one_is_at_work(tmp_path):
    pattern = f"{files.TEMPORARY}*-out.csv"
    left = tmp_path / f"{files.TEMPORARY}1234-out.csv"
    other = tmp_path / f"{files.TEMPORARY}1234-other.csv"
    for path in (left, other):
        path.touch()
    with files.without_leftovers(tmp_path, pattern):
        assert not left.exists()
        left.touch()  # now it is being written
        with files.without_leftovers(tmp_path, pattern):
            assert left.exists()
    with files.without_leftovers(tmp_path, pattern):
        assert not left.exists()
    assert other.exists()


def test_a_killed_writer_claims_nothing(tmp_path):
    code = """if True:
        import os, pathlib, signal, sys
        from easymft import files
        with files.without_leftovers(sys.argv[1], ".tmp-*"), files.staged(sys.argv[2]) as path:
            path.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", code, tmp_path, tmp_path / "a.txt"], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with files.without_leftovers(tmp_path, f"{files.TEMPORARY}*"):
        assert not list(tmp_path.iterdir())
