import gzip

import pytest

from easymft.data.files import text_files
from easymft.data.files.text_files import open_bytes, open_lines
from easymft.errors import InputError


@pytest.fixture
def write(tmp_path):
    def write_file(content):
        path = tmp_path / "file.txt"
        path.write_bytes(content)
        return path

    return write_file


def size(path):
    with open_bytes(path) as handle:
        return len(handle.read())


def test_gzip_is_seen_by_content_and_damage_is_told(write):
    packed = gzip.compress(b"line\n" * 1000)
    assert size(write(packed)) == 5000
    with pytest.raises(InputError, match="damaged gzip file"):
        size(write(packed[:-12]))


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        size(tmp_path / "none")


def test_lines_behind_a_long_one_can_still_be_read(write, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_LINE_CHARACTERS", 10)
    monkeypatch.setattr(text_files, "CHUNK_BYTES", 7)
    path = write(b"one\n" + b"x" * 50 + b"\nthree\n" + b"y" * 9 + b"\n" + b"z" * 40)
    faults = []
    with open_lines(path, "utf-8") as lines:
        rows = list(lines.numbered(lambda message, line: faults.append((line, message))))
    assert rows == [(1, "one\n"), (3, "three\n")]
    assert [line for line, _ in faults] == [2, 4, 5]
    assert faults[0][1].startswith("a line of 10 characters or more")


def test_gzip_that_unpacks_to_too_much_is_refused(write, monkeypatch):
    path = write(gzip.compress(b"line\n" * 1000))
    monkeypatch.setattr(text_files, "most_unpacked", lambda path: 5000)
    assert size(path) == 5000
    monkeypatch.setattr(text_files, "most_unpacked", lambda path: 4999)
    with pytest.raises(InputError, match="far more than a text of its size would; unpack it"):
        size(path)


def test_a_line_without_end_is_not_read_whole(write, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_LINE_CHARACTERS", 100)
    with (
        open_lines(write(b"short\n" + b"x" * 500), "utf-8") as lines,
        pytest.raises(InputError, match=r"file\.txt:2: a line of 100 characters"),
    ):
        list(lines)
