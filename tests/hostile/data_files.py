"""Bad data files: which files they are, how they are packed and encoded."""

import gzip
import os
from pathlib import Path

from tests.hostile.base import GOOD, GOOD_ROWS, HEADER, base, file, settings, spoiled, texts
from tests.hostile.case import Case


def _bomb() -> bytes:
    return gzip.compress((HEADER + "the good,good,books\n" * 10**7).encode())


def _link_in_folder(folder: Path) -> None:
    base(folder, {"files": {"all": "corpus"}})
    secret = folder / "secret.txt"
    secret.write_text("the key of the house")
    for place in ("books/good", "books/bad"):
        (folder / "corpus" / place).mkdir(parents=True)
        (folder / "corpus" / place / "1.txt").write_text("the cafe")
    (folder / "corpus/books/good/2.txt").symlink_to(secret)


def _link_in_glob(folder: Path) -> None:
    base(folder, {"files": {"all": "corpus/*.csv"}})
    (folder / "corpus").mkdir()
    (folder / "corpus/a.csv").symlink_to("../texts.csv")


_REFUSED = [
    # The file as a whole
    ("empty file", texts(""), ("texts.csv: `data.files`: is empty; its first line must name",)),
    ("header only", texts(HEADER), ("texts.csv: `data.files`: no usable row; the header alone",)),
    (
        "no header",
        texts(GOOD_ROWS),
        ("texts.csv:1: `data.columns.text`: no column 'text'; columns found: 'the cafe 0'",),
    ),
    (
        "a column is missing",
        texts(GOOD.replace("label", "Lable", 1)),
        (
            "texts.csv:1: `data.columns.label`: no column 'label'; columns found",
            "did you mean 'Lable'",
        ),
    ),
    (
        "a column twice",
        texts(GOOD.replace("domain", "label", 1), columns={"domain": "text"}),
        ("texts.csv:1: `data.columns.label`: the header has the column 'label' twice",),
    ),
    (
        "100,000 columns",
        texts(",".join(f"c{n}" for n in range(10**5)) + "\n"),
        ("no column 'text'; columns found: 'c0'", "and 99,980 more"),
    ),
    (
        "a file that is not there",
        settings({"files": {"all": "a.csv"}}),
        ("`data.files.all`: no f",),
    ),
    (
        "a file name of 5,000 letters",
        settings({"files": {"all": "a" * 5000 + ".csv"}}),
        ("`data.files.all`: no file found",),
    ),
    ("a pipe", spoiled(lambda f: os.mkfifo(f / "p.csv"), {"files": {"all": "p.csv"}}), ("a pipe",)),
    ("an unknown kind of file", file("t.docx", "x"), ("t.docx: `data.format`: cannot tell",)),
    (
        "a zip archive called CSV",
        texts(b"PK\x03\x04" + bytes(100)),
        ("texts.csv: is a zip archive or an Excel workbook; unpack it, or save the sheet as CSV",),
    ),
    (
        "a truncated gzip",
        file("t.csv.gz", lambda: gzip.compress(GOOD.encode())[:-20]),
        ("t.csv.gz: damaged gzip file",),
    ),
    (
        "a gzip bomb",
        file(
            "t.csv.gz", lambda: gzip.compress((HEADER + "the good,good,books\n" * 10**7).encode())
        ),
        ("t.csv.gz: unpacks to more than", "far more than a text of its size would; unpack it"),
    ),
    ("a link out of a folder", _link_in_folder, ("good/2.txt: `data.files.all`: is a link that",)),
    ("a link out of a glob", _link_in_glob, ("corpus/a.csv: `data.files.all`: is a link that",)),
    # Encodings
    ("zero bytes", texts(bytes(5000)), ("texts.csv: `data.encoding`: holds many zero bytes",)),
    (
        "UTF-16 without its mark",
        texts(GOOD.encode("utf-16-le")),
        ("texts.csv: `data.encoding`: holds many zero bytes: UTF-16 without a byte order mark",),
    ),
    (
        "two encodings in one file",
        texts(
            GOOD.encode()
            + "h\u00e4h\u00e4h\u00e4h\u00e4 \u00fc,good,books\n".encode("latin-1") * 5,
            encoding="utf-8",
        ),
        ("texts.csv: `data.encoding`: 25 bytes", "are no text in the encoding utf-8", "State the"),
    ),
    ("no such encoding", texts(GOOD, encoding="utf-9"), ("`data.encoding`: no such encoding;",)),
    ("an encoding of bytes", texts(GOOD, encoding="zip"), ("`data.encoding`: no such encoding;",)),
    ("a delimiter of two", texts(GOOD, delimiter="::"), ("`data.delimiter`: must be one char",)),
]

CASES = [Case(f"data: {name}", build, says) for name, build, says in _REFUSED]
