import gzip

import pytest

from easymft.data import text_files
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
    with pytest.raises(InputError, match=r"no such encoding\. Received: 'utf-9'"):
        found(tmp_path, b"a", "utf-9")


def test_gzip_is_seen_by_content_and_damage_is_told(tmp_path):
    packed = gzip.compress(b"line\n" * 1000)
    assert found(tmp_path, packed).size == 5000
    with pytest.raises(InputError, match="damaged gzip file"):
        found(tmp_path, packed[:-12])


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        text_files.find_encoding(tmp_path / "none", "auto")


def test_a_line_without_end_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "MAX_LINE_CHARACTERS", 100)
    encoding = found(tmp_path, b"short\n" + b"x" * 500)
    with (
        text_files.open_lines(tmp_path / "file.txt", encoding) as lines,
        pytest.raises(InputError, match=r"file\.txt:2: a line of 100 characters"),
    ):
        list(lines)
