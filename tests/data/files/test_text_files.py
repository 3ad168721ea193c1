import gzip

import pytest

from easymft.data.files import text_files
from easymft.errors import InputError


def found(tmp_path, content: bytes, stated: str = "auto") -> text_files.Encoding:
    path = tmp_path / "file.txt"
    path.write_bytes(content)
    return text_files.find_encoding(path, stated)


def test_detection_by_byte_order_mark_and_by_content(tmp_path):
    text = "naïve — café 😀\n" * 3
    for codec, expected in [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-32", "utf-32"),
    ]:
        encoding = found(tmp_path, text.encode(codec))
        assert encoding.codec == expected
        assert encoding.undecodable == 0
        path = tmp_path / "file.txt"
        with text_files.open_lines(path, encoding) as lines:
            assert list(lines) == text.splitlines(keepends=True)


def test_western_bytes_are_cp1252_and_said_to_be_guessed(tmp_path):
    encoding = found(tmp_path, "caf\xe9 \x93quoted\x94\n".encode("latin-1") * 40)
    assert encoding.codec == "cp1252"
    assert "guessed" in encoding.note
    assert not encoding.is_damaged


def test_utf_8_with_few_bad_bytes_stays_utf_8(tmp_path):
    encoding = found(tmp_path, "é".encode() * 500 + b"\xff" * 5)
    assert (encoding.codec, encoding.undecodable, encoding.size) == ("utf-8", 5, 1005)
    assert not encoding.is_damaged


def test_more_than_one_percent_is_damage(tmp_path):
    assert not found(tmp_path, b"a" * 990 + b"\xff" * 10, "utf-8").is_damaged
    assert found(tmp_path, b"a" * 989 + b"\xff" * 11, "utf-8").is_damaged


def test_utf_16_without_a_mark_is_asked_for(tmp_path):
    with pytest.raises(InputError, match="utf-16-le"):
        found(tmp_path, "some text".encode("utf-16-le"))
    assert found(tmp_path, "some text".encode("utf-16-le"), "utf-16-le").undecodable == 0


def test_unknown_encoding_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no such encoding; .* Received: 'utf-9'"):
        found(tmp_path, b"a", "utf-9")


def test_gzip_is_seen_by_content_and_damage_is_told(tmp_path):
    packed = gzip.compress(b"line\n" * 1000)
    assert found(tmp_path, packed).size == 5000
    with pytest.raises(InputError, match="damaged gzip file"):
        found(tmp_path, packed[:-12])


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        text_files.find_encoding(tmp_path / "none", "auto")


def test_lines_behind_a_long_one_can_still_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_LINE_CHARACTERS", 10)
    monkeypatch.setattr(text_files, "CHUNK_BYTES", 7)
    encoding = found(tmp_path, b"one\n" + b"x" * 50 + b"\nthree\n" + b"y" * 9 + b"\n" + b"z" * 40)
    faults = []
    with text_files.open_lines(tmp_path / "file.txt", encoding) as lines:
        rows = list(lines.numbered(lambda message, line: faults.append((line, message))))
    assert rows == [(1, "one\n"), (3, "three\n")]
    assert [line for line, _ in faults] == [2, 4, 5]
    assert faults[0][1].startswith("a line of 10 characters or more")


def test_gzip_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    packed = gzip.compress(b"line\n" * 1000)
    monkeypatch.setattr(text_files, "most_unpacked", lambda path: 5000)
    assert found(tmp_path, packed).size == 5000
    monkeypatch.setattr(text_files, "most_unpacked", lambda path: 4999)
    with pytest.raises(InputError, match="far more than a text of its size would; unpack it"):
        found(tmp_path, packed)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04", "a zip archive or an Excel workbook"),
        (b"BZh91AY&SY", "packed with bzip2"),
        (b"\xfd7zXZ\x00", "packed with xz"),
        (b"\x28\xb5\x2f\xfd", "packed with Zstandard"),
    ],
)
def test_what_is_packed_otherwise_is_named(tmp_path, content, kind):
    with pytest.raises(InputError, match=kind):
        found(tmp_path, content + bytes(50), "utf-8")


@pytest.mark.parametrize("name", ["zip", "rot13", "idna", "undefined", "utf-9", "\u00fc", ""])
def test_codecs_that_make_no_text_of_bytes(tmp_path, name):
    with pytest.raises(InputError, match="no such encoding") as caught:
        found(tmp_path, b"a", name)
    assert caught.value.field == "data.encoding"


def test_utf_32_without_its_mark(tmp_path):
    with pytest.raises(InputError, match="cannot be read as utf-32"):
        found(tmp_path, b"some text", "utf-32")


def test_a_line_without_end_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_LINE_CHARACTERS", 100)
    encoding = found(tmp_path, b"short\n" + b"x" * 500)
    with (
        text_files.open_lines(tmp_path / "file.txt", encoding) as lines,
        pytest.raises(InputError, match=r"file\.txt:2: a line of 100 characters"),
    ):
        list(lines)
