"""Tables as other programs write them: code pages, quotes, JSON of any layout, folders of parts."""

# ruff: noqa: RUF001 (Russian letters look like ours)

import json
from collections.abc import Callable
from pathlib import Path

from tests.hostile.base import GOOD, HEADER, file, spoiled, texts
from tests.hostile.case import RECIPE, Case

VALIDATE = (*RECIPE, "--mode", "validate")
NAMES, *ROWS = (line.split(",") for line in GOOD.splitlines())
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
TSV = GOOD.replace(",", "\t")


def _said(codec: str, *texts: str) -> Callable[[Path], None]:
    """Writes the good run on texts in a code page."""
    rows = [
        f"{text} {n},{('good', 'bad')[n % 2]},{('books', 'films')[n // 2 % 2]}\n"
        for n in range(30)
        for text in texts
    ]
    return file("t.csv", (HEADER + "".join(rows)).encode(codec))


def _folder(parts: dict[str, str]) -> Callable[[Path], None]:
    """Writes the good run on a folder of files."""

    def spoil(folder: Path) -> None:
        (folder / "parts").mkdir()
        for name, content in parts.items():
            (folder / "parts" / name).write_text(content)

    return spoiled(spoil, {"files": {"all": "parts"}})


def _partitions(folder: Path) -> None:
    """Parquet as Spark and polars write it: a folder a domain, text as views."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for domain in ("books", "films"):
        part = folder / f"parts/domain={domain}/part-0.c000.snappy.parquet"
        part.parent.mkdir(parents=True)
        rows = [row for row in ROWS if row[2] == domain]
        columns = [pa.array([row[place] for row in rows], pa.string_view()) for place in (0, 1)]
        pq.write_table(pa.table(columns, ["text", "label"]), part)
        (part.parent / "_SUCCESS").touch()


def _part_that_lacks_a_column(folder: Path) -> None:
    _partitions(folder)
    (folder / "parts/domain=films/part-0.c000.snappy.parquet").rename(folder / "parts/a.parquet")


def _link_in_parts(folder: Path) -> None:
    _partitions(folder)
    (folder / "parts/b.parquet").symlink_to("../texts.csv")


_REFUSED = [
    (
        "a quote that swallows rows of CSV",
        texts(GOOD + '"opened here,good,books\nthe,bad,films\nclosed here",good,books\n'),
        ("texts.csv:62: a quote", "closed in line 64, yet the lines are rows by themselves; write"),
    ),
    (
        "a Czech code page",
        _said("cp1250", "Příliš žluťoučký kůň"),
        ("t.csv: `data.encoding`: is neither UTF-8 nor a Western text", "the likeliest is cp1250"),
    ),
    (
        "a Turkish code page",
        _said("cp1254", "Kalitesi kötü, şaşırdım"),
        ("t.csv: `data.encoding`: is neither UTF-8 nor a Western text", "state its encoding"),
    ),
    (
        "two lines of Chinese",
        file("t.csv", (HEADER + "好书,good,b\n差书,bad,b\n").encode("gbk")),
        ("t.csv: `data.encoding`: is neither UTF-8 nor a Western text", "state its encoding"),
    ),
    (
        "Japanese in seven bits",
        _said("iso2022_jp", "とても面白い"),
        ("t.csv: `data.encoding`: holds the escapes of a seven-bit encoding of Asia; state it",),
    ),
    (
        "a JSON array cut short",
        file("t.json", json.dumps(RECORDS, indent=1)[:-40]),
        ("t.json:60: row 60 of the array is not valid JSON",),
    ),
    (
        "a JSON array of 100,000 brackets",
        file("t.json", "[" * 10**5),
        ("t.json:1: row 1 of the array is not valid JSON (nested too deeply)",),
    ),
    (
        "a JSON array with an object of 10 MB",
        file("t.json", lambda: json.dumps([{**RECORDS[0], "text": "the " * 2_500_000}])),
        ("t.json:1: row 1 of the array is not valid JSON",),
    ),
    (
        "something behind a JSON array",
        file("t.json", json.dumps(RECORDS) + json.dumps(RECORDS)),
        ("t.json:60: something stands behind the array",),
    ),
    (
        "JSON objects over lines",
        file("t.json", "\n".join(json.dumps(record, indent=1) for record in RECORDS)),
        ("t.json:1: holds an object that goes on from line to line; write one object a line",),
    ),
    (
        "one JSON object of whole columns",
        file("t.json", json.dumps({name: {"0": "a"} for name in NAMES})),
        ("t.json:1: is one object of whole columns; write one object a row: in pandas",),
    ),
    (
        "a folder of nothing",
        _folder({"README.md": "the good"}),
        ("parts: `data.files.all`: is a folder without texts (domain/label/*.txt) and without",),
    ),
    (
        "a folder of several formats",
        _folder({"a.csv": GOOD, "b.tsv": TSV}),
        ("parts: `data.files.all`: is a folder with files of several formats (csv, tsv); name",),
    ),
    (
        "a folder with a file for each split",
        _folder({"train.csv": GOOD, "test.csv": GOOD}),
        ("parts: `data.files.all`: is a folder with files of single splits (test, train); name",),
    ),
    (
        "a part that lacks a column",
        spoiled(_part_that_lacks_a_column, {"files": {"all": "parts"}}),
        ("parts/a.parquet:1: `data.columns.domain`: no column 'domain'; columns found: 'text'",),
    ),
    (
        "a link among the parts",
        spoiled(_link_in_parts, {"files": {"all": "parts"}}),
        ("parts/b.parquet: `data.files.all`: is a link that leads out of parts",),
    ),
]

_USABLE = [
    (
        "lone quotes in TSV",
        file("t.tsv", TSV.replace("the cafe 0", '"the cafe').replace("the cafe 28", 'cafe "')),
        ("delimiter tab, quotes are plain characters", "60 rows on 61 lines"),
    ),
    (
        "texts over lines",
        texts(GOOD.replace("the good 1,", '"the good,\ncafe",')),
        ("60 rows on 63 lines", "2 rows go on over several lines (first: texts.csv:3)"),
    ),
    (
        "Chinese in GBK",
        _said("gbk", "这本书很好看", "质量太差了"),
        ("not UTF-8, read as gb18030 (guessed)",),
    ),
    (
        "Russian in KOI8-R",
        _said(
            "koi8_r",
            "Очень хорошая книга",
        ),
        ("not UTF-8, read as koi8_r (guessed)",),
    ),
    (
        "Western letters",
        _said(
            "cp1252",
            "déjà vu au café naïf",
            "schöne Größe",
        ),
        ("not UTF-8, read as cp1252 (guessed)",),
    ),
    (
        "Excel's line of the delimiter",
        texts("\ufeffsep=;\n" + GOOD.replace(",", ";")),
        ("UTF-8 with byte order mark, delimiter semicolon", "60 rows on 62 lines"),
    ),
    (
        "Excel's empty cells",
        texts(GOOD.replace(",films\n", ",films,,\n") + ",,\n,,,,\n"),
        ("60 rows on 63 lines", "2 rows of empty cells, left out (first: texts.csv:62)"),
    ),
    (
        "two tables in one file",
        texts(GOOD.encode() + b"\xef\xbb\xbf" + GOOD.replace("the", "cafe").encode()),
        ("120 rows on 122 lines", "1 headers between rows, left out (first: texts.csv:62)"),
    ),
    (
        "a JSON array",
        file("t.json", json.dumps(RECORDS, indent=1)),
        ("UTF-8 (detected), a JSON array",),
    ),
    (
        "a folder of Parquet parts",
        spoiled(_partitions, {"files": {"all": "parts"}}),
        ("books   good", "films   bad"),
    ),
    (
        "a folder of CSV parts",
        _folder({"a.csv": GOOD, "b.csv": GOOD.replace("the", "a")}),
        ("2 x UTF-8", "120 rows on 122 lines"),
    ),
]

CASES = [
    *(Case(f"data: {name}", build, says) for name, build, says in _REFUSED),
    *(Case(f"dirty: {name}", build, says, VALIDATE, exit_code=0) for name, build, says in _USABLE),
]
