"""Bad Parquet files."""

from collections.abc import Callable
from pathlib import Path

from tests.hostile.base import GOOD, file, spoiled
from tests.hostile.case import Case


def _parquet(**columns: object) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(columns), folder / "texts.parquet")

    return spoiled(spoil, {"files": {"all": "texts.parquet"}})


def _cut_parquet(folder: Path) -> None:
    _parquet(text=["the"] * 99, label=["a"] * 99, domain=["b"] * 99)(folder)
    path = folder / "texts.parquet"
    path.write_bytes(path.read_bytes()[:-40])


def _parquet_bomb(folder: Path) -> None:
    """40 kB that say a text of 900,000 letters 50,000 times: 45 GB."""
    import pyarrow as pa

    index = pa.array([0] * 50_000, pa.int32())
    text = pa.DictionaryArray.from_arrays(index, pa.array(["the " * 225_000]))
    _parquet(text=text, label=["a", "b"] * 25_000, domain=["d"] * 50_000)(folder)


def _parquet_no_utf8(folder: Path) -> None:
    import pyarrow as pa

    bad = pa.array([b"the \xff", b"good"]).cast(pa.binary()).view(pa.string())
    _parquet(text=bad, label=["a", "b"], domain=["d", "d"])(folder)


_REFUSED = [
    (
        "Parquet with numbers for texts",
        _parquet(text=[1, 2], label=["a", "b"], domain=["d", "d"]),
        ("texts.parquet: `data.columns.text`: column 'text' must hold text. Received: int64",),
    ),
    (
        "Parquet with lists for labels",
        _parquet(text=["a", "b"], label=[["a"], ["b"]], domain=["d", "d"]),
        ("`data.columns.label`: column 'label' must hold text or numbers. Received: list<",),
    ),
    ("Parquet cut short", _cut_parquet, ("texts.parquet: cannot be read as Parquet",)),
    ("Parquet that is CSV", file("t.parquet", GOOD), ("t.parquet: cannot be read as Parquet",)),
    (
        "Parquet of 40 kB with 45 GB of text",
        _parquet_bomb,
        ("texts.parquet: unpacks to more than 16 MB of text, far more than a file of its size",),
    ),
    (
        "Parquet with bytes for letters",
        _parquet_no_utf8,
        ("texts.parquet:1: `text`: must be text. Received: a bytes",),
    ),
]

CASES = [Case(f"data: {name}", build, says) for name, build, says in _REFUSED]
