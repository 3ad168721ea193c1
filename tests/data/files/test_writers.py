"""Rows in are rows out, whatever wrote them: no row is merged, split, lost or changed."""

import csv
import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from easymft.data.files.reader import format_of, read_file
from easymft.data.files.row_source import RowSource
from easymft.errors import InputError

NAMES = ("text", "label", "domain")
SHARED_FOLDER = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# What means something to a reader comes up often enough. Escape characters are asked about.
pieces = st.sampled_from(['"', '""', "'", ",", ";", "|", " ", "sep=", "\\", "\ufeff", "\x85"])
letters = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0\x1b")
texts = st.lists(pieces | letters | st.text("ab ", max_size=3), min_size=1, max_size=8).map("".join)
line_ends = st.sampled_from(["\n", "\r\n", "\r"])
lines = st.lists(texts.filter(lambda text: "\t" not in text) | line_ends, min_size=1, max_size=6)


def tables(texts):
    """Tables of three columns, which hold something and are no header."""
    filled = texts.filter(lambda text: text.strip("\ufeff \t"))
    row = st.tuples(filled, st.sampled_from(["good", 'b"ad']), st.sampled_from(["books", "x, y"]))
    return st.lists(row, min_size=1, max_size=8)


def by_csv_module(**how):
    """Writes as Python's csv module does with these settings."""

    def write(rows):
        file = io.StringIO()
        writer = csv.writer(file, **how)
        writer.writerows([NAMES, *rows])
        return file.getvalue().encode()

    return write


def by_pandas(**how):
    """Writes as pandas does with these settings."""
    return lambda rows: pd.DataFrame(rows, columns=NAMES).to_csv(index=False, **how).encode()


def by_polars(rows):
    """Quotes what holds a delimiter, a quote or a line end, as polars does."""

    def cell(text):
        return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text

    return "".join(",".join(map(cell, row)) + "\n" for row in [NAMES, *rows]).encode()


def by_excel(rows):
    """Semicolons under a line that says so, a byte order mark, and empty cells around."""
    content = by_csv_module(delimiter=";")([(*row, "", "") for row in [*rows, ("", "", "")]])
    return "\ufeffsep=;\r\n".encode() + content


def by_excel_as_unicode(rows):
    """Tabs in UTF-16, as Excel's `Unicode text`."""
    return by_csv_module(delimiter="\t")(rows).decode().encode("utf-16")


WRITERS = {
    "excel.csv": by_csv_module(),
    "unix.csv": by_csv_module(dialect="unix"),
    "excel-tab.tsv": by_csv_module(dialect="excel-tab"),
    "bars.txt": by_csv_module(delimiter="|", lineterminator="\n"),
    "all-quoted.tab": by_csv_module(delimiter="\t", quoting=csv.QUOTE_ALL, lineterminator="\n"),
    "pandas.csv": by_pandas(),
    "pandas.tsv": by_pandas(sep="\t"),
    "pandas-utf-8-sig.csv": lambda rows: b"\xef\xbb\xbf" + by_pandas()(rows),
    "polars.csv": by_polars,
    "sep.csv": by_excel,
    "unicode.tsv": by_excel_as_unicode,
}


def read(path, content):
    path.write_bytes(content)

    def fault(message, line):
        raise InputError(message, file=path, line=line)

    source = RowSource(path, {name: name for name in NAMES}, fault)
    return [tuple(row.values()) for _, row in read_file(source, format_of(path))]


@pytest.mark.parametrize("name", WRITERS)
@SHARED_FOLDER
@given(rows=tables(texts))
def test_texts_of_one_line(tmp_path, name, rows):
    assert read(tmp_path / name, WRITERS[name](rows)) == rows


@pytest.mark.long
@pytest.mark.parametrize("name", ["unix.csv", "all-quoted.tab", "polars.csv"])
@SHARED_FOLDER
@given(rows=tables(lines.map("".join)))
@example([("a, b\nc", "good", "books"), ("a\n\nb", "good", "books")])
@example([("a\tb\nc\td", "good", "books")])
def test_texts_over_lines(tmp_path, name, rows):
    """Where all cells (or all that need it) are quoted."""
    assert read(tmp_path / name, WRITERS[name](rows)) == rows


@SHARED_FOLDER
@given(rows=tables(texts.filter(lambda text: "\t" not in text)))
@example([('"', "good", "books"), ('" ', "good", "books")])
@example([('"a', "good", "books"), ("b", "good", "books"), ('c "', "good", "books")])
@example([('"a"', "good", "books"), ('""', "good", "books")])
def test_tsv_whose_quotes_are_characters(tmp_path, rows):
    content = "\n".join("\t".join(row) for row in [NAMES, *rows])
    found = read(tmp_path / "plain.tsv", content.encode())
    assert len(found) == len(rows)
    for before, after in zip(rows, found, strict=True):
        # Where every quote could be one around a cell, it is taken for that.
        unquoted = tuple(cell[1:-1].replace('""', '"') for cell in before)
        assert all(a in (b, u) for a, b, u in zip(after, before, unquoted, strict=True))


@pytest.mark.long
@SHARED_FOLDER
@given(rows=tables(lines.map("".join)), indent=st.sampled_from([None, 2]), ascii=st.booleans())
def test_json_and_parquet(tmp_path, rows, indent, ascii):
    records = [dict(zip(NAMES, row, strict=True)) for row in rows]
    array = json.dumps(records, indent=indent, ensure_ascii=ascii)
    by_line = "".join(json.dumps(record, ensure_ascii=ascii) + "\r\n" for record in records)
    assert read(tmp_path / "a.json", array.encode()) == rows
    assert read(tmp_path / "a.ndjson", by_line.encode()) == rows
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        file = io.BytesIO()
        columns = [pa.array(column, kind) for column in zip(*rows, strict=True)]
        pq.write_table(pa.table(columns, NAMES), file)
        assert read(tmp_path / "a.parquet", file.getvalue()) == rows
