import codecs
import gzip
import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from easymft.errors import InputError
from easymft.export import text_stream
from easymft.export.text_stream import (
    beginning,
    count_lines,
    is_stream,
    line_groups,
    looks_like_table,
    open_stream,
    told_format,
)


class Slow(io.RawIOBase):
    """Gives its pieces one by one, as a pipe does whose writer takes its time."""

    def __init__(self, pieces):
        self.pieces = list(pieces)

    def readable(self):
        return True

    def readinto(self, buffer):
        piece = self.pieces.pop(0) if self.pieces else b""
        buffer[: len(piece)] = piece
        return len(piece)


def stream(*pieces):
    return io.BufferedReader(Slow(pieces))


@pytest.mark.parametrize(
    ("head", "form"),
    [
        (b"", "lines"),
        (b"good\nbad\n", "lines"),
        (b"text\ngood\n", "csv"),
        (b"text,domain\r\ngood,books\r\n", "csv"),
        (b'"domain";"text"\nbooks;good\n', "csv"),
        (b"\n\ntext|domain\n", "csv"),
        (b"sep=;\ntext;domain\n", "csv"),
        (b"domain\ttext\nbooks\tgood\n", "tsv"),
        (codecs.BOM_UTF8 + b"text,domain\n", "csv"),
        (codecs.BOM_UTF16_LE + "text,domain\n".encode("utf-16-le"), "csv"),
        (b'{"text": "good"}\n{"text": "bad"}\n', "jsonl"),
        # Said to lack the column, not labelled as texts.
        (b'{"body": "good"}\n', "jsonl"),
        (b'{"a": "' + b"x" * 9000, "jsonl"),
        (b'[{"text": "good"},\n', "jsonl"),
        (b'[\n  {\n    "text": "good"\n', "jsonl"),
        (b"PAR1\x15\x04", "parquet"),
        (b"Text,domain\n", "lines"),
        (b"a text, or so\n", "lines"),
        (b"{so to say}\nbad\n", "lines"),
        (b"[sic]\n", "lines"),
        (b"texts\n", "lines"),
    ],
)
def test_a_format_is_told_by_the_beginning(head, form):
    assert told_format(head, {"text"}) == form


def test_all_columns_that_must_be_there_make_a_header():
    pair = {"text", "text_pair"}
    assert told_format(b"text\tthe text_pair\n", pair) == "lines"
    assert told_format(b"text\ttext_pair\n", pair) == "tsv"


@pytest.mark.parametrize(
    ("head", "is_table"),
    [
        (b"body,topic\ngood,x\nbad,y\nso", True),
        (b"a\tb\tc\r\n1\t2\t3\r\n1\t2\t3\r\n", True),
        (b"body,topic\ngood\nbad,y\n", False),
        (b"good\nbad\nso so\n", False),
        (b"good, so\nbad, too\n", False),  # too few to tell
    ],
)
def test_a_table_is_seen(head, is_table):
    assert looks_like_table(head) == is_table


def test_a_packed_beginning_is_unpacked_and_nothing_is_taken():
    packed = gzip.compress(b"text,domain\n" + os.urandom(100_000))
    pipe = stream(packed[:5000], packed[5000:])
    assert beginning(pipe).startswith(b"text,domain\n")
    assert pipe.read() == packed


def test_lines_come_when_they_come():
    groups = line_groups(stream(b"a", b"b\nc\nd", b"e\n", b"\nf"), "standard input")
    assert list(groups) == [["ab", "c"], ["de"], [""], ["f"]]


@pytest.mark.long
@given(
    st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))),
    st.integers(1, 40),
)
def test_as_many_lines_come_out_as_went_in(lines, size):
    content = "".join(f"{line}\n" for line in lines).encode()
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    found = [line for group in line_groups(stream(*pieces), "s") for line in group]
    expected = [line.removesuffix("\r") for line in lines]
    if expected:
        expected[0] = expected[0].removeprefix("\ufeff")
    assert found == expected
    assert count_lines(stream(*pieces), "s") == len(lines)


def test_packed_lines():
    assert list(line_groups(stream(gzip.compress(b"good\nbad")), "s")) == [["good"], ["bad"]]


def test_a_damaged_pack_is_said(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"good\nbad\n" * 10_000)[:-20])
    with (
        pytest.raises(InputError, match=r"a\.gz: damaged gzip file"),
        open_stream(str(path)) as packed,
    ):
        list(line_groups(packed, "s"))


def test_bytes_that_are_no_utf8_are_said_once(caplog):
    lines = [b"the good book\n"] * 3 + [b"caf\xe9 bad\n"] * 2
    assert [*line_groups(stream(*lines), "s")][3] == ["caf\ufffd bad"]
    assert caplog.messages == ["s:4: bytes that are no UTF-8 become U+FFFD"]


@pytest.mark.parametrize("codec", ["gb18030", "utf-16", "utf-16-le", "koi8-r"])
def test_another_encoding_is_refused(codec):
    content = "книга хорошая\n书很好看\n".encode(codec, "replace")
    with pytest.raises(InputError, match=r"^s: .* bytes are no UTF-8 text; convert it"):
        list(line_groups(stream(content * 10), "s"))


def test_a_stream_without_line_ends_is_refused(monkeypatch):
    monkeypatch.setattr(text_stream, "MAX_LINE_CHARACTERS", 100)
    with pytest.raises(InputError, match=r"^s:2: a line of 100 bytes or more"):
        list(line_groups(stream(b"good\n", *[b"x" * 30] * 10), "s"))


def test_what_can_be_read_once_only_is_a_stream(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "file.csv").touch()
    assert is_stream("-")
    assert is_stream("/dev/stdin")
    assert is_stream(str(tmp_path / "pipe.csv"))
    assert not is_stream(str(tmp_path / "file.csv"))
    assert not is_stream(str(tmp_path / "nothing"))
    assert not is_stream("a" * 5000)
