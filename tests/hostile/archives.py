"""Archives made by strangers, where the sentiment snippets are expected."""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from tests.data.reading import write_snippets
from tests.hostile.base import spoiled
from tests.hostile.case import Case

ARCHIVE = "hutto_ICWSM_2014.tar.gz"
MEMBER = "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt"


def _member(name: str, content: bytes = b"", **facts: object) -> tuple[str, bytes, dict]:
    return name, content, facts


def _archive(*members: tuple[str, bytes, dict], times: int = 1) -> Callable[[Path], None]:
    """Writes an archive whose members hold their content so many times."""

    def spoil(folder: Path) -> None:
        with tarfile.open(folder / ARCHIVE, "w:gz", compresslevel=1) as archive:
            for name, content, facts in members:
                info = tarfile.TarInfo(name)
                info.size = times * len(content)
                for key, value in facts.items():
                    setattr(info, key, value)
                archive.addfile(info, io.BytesIO(content * times))

    return spoiled(spoil, {"source": "snippets", "dir": ".", "files": None})


def _bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = write_snippets(folder / ARCHIVE)
        path.write_bytes(change(path.read_bytes()))

    return spoiled(spoil, {"source": "snippets", "dir": ".", "files": None})


def _long_name() -> bytes:
    """A header that states a name of 200 MB."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 200 << 20
    return gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + b"a" * (200 << 20), 1)


CASES = [
    Case(f"archive: {name}", build, (ARCHIVE, *says))
    for name, build, says in (
        (
            "cut short",
            _bytes(lambda content: content[:-30]),
            ("cannot be unpacked", "get it"),
        ),
        ("no archive", _bytes(lambda content: b"no archive"), ("cannot be unpacked",)),
        ("without its texts", _archive(_member("other")), ("lacks the members",)),
        (
            "a tar with ../",
            _archive(_member("hutto_ICWSM_2014/../../evil", b"x")),
            ("lacks the members",),
        ),
        (
            "a link in place of a text",
            _archive(_member(MEMBER, type=tarfile.SYMTYPE, linkname="/etc/passwd")),
            ("refused: member", "is a link or a device"),
        ),
        (
            "a device in place of a text",
            _archive(_member(MEMBER, type=tarfile.CHRTYPE)),
            ("refused: member", "is a link or a device"),
        ),
        (
            "a text that is a bomb",
            _archive(_member(MEMBER, bytes(1 << 20)), times=300),
            ("unpacks to far more bytes than it should",),
        ),
        (
            "a bomb before the texts",
            _archive(_member("other", bytes(1 << 20)), _member(MEMBER), times=300),
            ("unpacks to far more bytes than it should",),
        ),
        (
            "a name of 200 MB",
            _bytes(lambda content: _long_name()),
            ("unpacks to far more bytes than it should",),
        ),
        (
            "a rating that is none",
            _archive(
                *(
                    _member(f"hutto_ICWSM_2014/{name}", b"1\tnan\tgood\n")
                    for name in (
                        "amazonReviewSnippets_GroundTruth.txt",
                        "nytEditorialSnippets_GroundTruth.txt",
                        "movieReviewSnippets_GroundTruth.txt",
                        "tweets_GroundTruth.txt",
                    )
                )
            ),
            ("GroundTruth.txt:1: must be id, mean rating and text, separated by tabs",),
        ),
    )
]
