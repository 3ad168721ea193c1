"""Dirty data that can be used: read as they are meant, with a remark, and shown as they are."""

import itertools
import json
from pathlib import Path

from tests.hostile.base import GOOD, base, many, texts
from tests.hostile.case import RECIPE, Case
from tests.hostile.corpora import amazon

VALIDATE = (*RECIPE, "--mode", "validate")
_SCRIPT = "<script>alert(1)</script>"
_LINK = "[x](javascript:alert`1`)"
_IMAGE = '![x](http://example.org/pixel.png \\"t\\")'


def _mixed(name: str, *ways: str) -> str:
    """The good file with `name` written in several ways, one after the other."""
    first, *rest = GOOD.split(name)
    return first + "".join(way + part for way, part in zip(itertools.cycle(ways), rest))


def _scripts(folder: Path) -> None:
    rows = [
        {"text": f"{_SCRIPT} {_LINK} the {n}", "label": label, "domain": domain}
        for domain in (_SCRIPT, f"{_IMAGE}<img src=x onerror=alert(1)>")
        for label in (_LINK, "</table><b>")
        for n in range(12)
    ]
    base(folder, {"files": {"all": "t.jsonl"}}, description=_SCRIPT, method="mft_tw")
    path = folder / "recipe.json"
    values = json.loads(path.read_text())
    for phase in ("meta_fine_tune", "fine_tune"):
        values[phase] |= {"epochs": 1, "batch_size": 64}
    path.write_text(json.dumps({**values, "diagnose": False}))
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


_USABLE = [
    ("byte order mark", texts(GOOD.encode("utf-8-sig")), ("UTF-8 with byte order mark",)),
    ("UTF-16 with its mark", texts(GOOD.encode("utf-16")), ("UTF-16 with byte order mark",)),
    ("Windows line ends", texts(GOOD.replace("\n", "\r\n")), ("films   good", "delimiter comma")),
    (
        "leading zeros",
        texts(GOOD.replace(",good,", ",01,").replace(",bad,", ",1,")),
        ("films   01", "films   1"),
    ),
    (
        "a domain with space around it, and its accents stored in two ways",
        texts(_mixed("films", "caf\u00e9", " caf\u00e9", "cafe\u0301")),
        ("caf\u00e9    good       5    2     3   10",),
    ),
    (
        "whole numbers with and without a fraction",
        texts(_mixed("films", "7", "7.0")),
        ("7       good       6    3     3   12",),
    ),
    (
        "texts in a script that the vocabulary lacks",
        texts(GOOD.replace("the good", "хорошая книга").replace("the cafe", "плохая книга")),
        ("the encoder's vocabulary lacks 100% of", "counted in word pieces", "See backbone.preset"),
    ),
    (
        "a label as Python writes a number that is none",
        texts(GOOD.replace(",good,", ",1,").replace(",bad,", ",nan,")),
        ("label 'nan' of 30 texts looks like a missing value; leave it empty",),
    ),
    (
        "one row in four to skip",
        texts(GOOD + "the,,books\n" * 20, on_bad_row="skip"),
        ("20 of 80 rows (25%) were skipped, as they cannot be used",),
    ),
    ("one domain", texts(GOOD.replace("films", "books")), ("one domain only: nothing to share",)),
    (
        "an entity of 5,000 digits in a review",
        amazon("positive books text 0", f"text &#{'9' * 5000};"),
        ("books        positive",),
    ),
    (
        "a bad row among 100,000, skipped",
        texts(lambda: many('"the cafe,good,b'), on_bad_row="skip"),
        ("1 faults in rows that were skipped; first: texts.csv:50002: a cell of more", "100,000"),
    ),
]

CASES = [
    *(Case(f"dirty: {name}", build, says, VALIDATE, exit_code=0) for name, build, says in _USABLE),
    Case(
        "dirty: scripts, links and images as names and texts",
        _scripts,
        (),
        exit_code=0,
        trains=True,
        reports={
            "report.md": (
                *("!<script", "!<img", "!</table>", "!![", "![x]", "!](", "&lt;script&gt;alert"),
                *(r"\[x\]\(javascript:alert", r"\!\[x\]\(http"),
            ),
            # A page has scripts and tables of its own.
            "report.html": (
                *("!<script>alert", "!<img src=x", "!</table><b>", '!="javascript:'),
                "&lt;script&gt;alert",
            ),
        },
    ),
]
