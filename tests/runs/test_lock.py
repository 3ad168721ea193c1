import errno
import fcntl
import json
import os
import re
import socket
import subprocess
import sys

import pytest

from easymft.errors import InputError
from easymft.runs import lock as run_lock
from easymft.runs.lock import check_shared, locked


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs/mine/mft/seed-1"


def lock_file(folder):
    return folder.parent / ".seed-1.lock"


def test_one_at_a_time_and_nothing_is_left(folder, tmp_path):
    with locked(folder):
        words = f"another process works on this run: {os.getpid()} on {socket.gethostname()}"
        with pytest.raises(InputError, match=re.escape(words)), locked(folder):
            pytest.fail("was let in")
    assert not list(tmp_path.iterdir())
    with locked(folder):
        folder.mkdir()
    assert list(folder.parent.iterdir()) == [folder]


def test_a_killed_process_keeps_nobody_out(folder):
    code = (
        "import os, pathlib, sys; from easymft.runs.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(folder)]).returncode == -9
    assert lock_file(folder).exists()
    with locked(folder):
        assert json.loads(lock_file(folder).read_text())["pid"] == os.getpid()


@pytest.fixture
def no_kernel_locks(monkeypatch):
    def flock(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_without_kernel_locks_the_file_is_believed(folder, no_kernel_locks, where):
    host = socket.gethostname() if where == "here" else "other"
    folder.parent.mkdir(parents=True)
    holder = {"pid": os.getppid(), "host": host, "since": "now"}
    lock_file(folder).write_text(json.dumps(holder))
    with pytest.raises(InputError, match="another process works on this run"), locked(folder):
        pytest.fail("was let in")


@pytest.mark.parametrize("holder", ["", "[]", '{"pid": "x"}', "dead"])
def test_without_kernel_locks_stale_files_are_recognised(folder, no_kernel_locks, holder):
    if holder == "dead":
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        holder = json.dumps({"pid": process.pid, "host": socket.gethostname()})
    folder.parent.mkdir(parents=True)
    lock_file(folder).write_text(holder)
    with locked(folder):
        assert json.loads(lock_file(folder).read_text())["pid"] == os.getpid()


def test_workers_make_sure_that_the_folder_is_shared(folder, monkeypatch):
    monkeypatch.setattr(run_lock, "SHARED_SECONDS", 0.0)
    with locked(folder) as token:
        check_shared(folder, token)
        with pytest.raises(InputError, match="file system that all workers share"):
            check_shared(folder, token + 1)
    with pytest.raises(InputError, match="file system that all workers share"):
        check_shared(folder, token)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/a: cannot be written"), locked(tmp_path / "file/a"):
        pytest.fail("was let in")
