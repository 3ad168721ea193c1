"""Which lines of CSV and TSV are rows: quotes, empty cells, headers, a named delimiter."""

import pytest

from easymft.data.files.delimited import read_delimited
from easymft.data.files.reader import format_of, read_file
from easymft.data.files.row_source import RowSource

NAMES = ("text", "label", "domain")


@pytest.fixture
def read(tmp_path):
    """Writes a file and reads its rows, faults (line, message), and notes."""

    def write_and_read(name, content, **rest):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        faults, notes = [], []
        source = RowSource(
            path,
            {name: name for name in NAMES},
            fault=lambda message, line: faults.append((line, message)),
            note=notes.append,
            **rest,
        )
        rows = [tuple(row.values()) for _, row in read_file(source, format_of(path))]
        return rows, faults, notes + source.tally.notes()

    return write_and_read


def table(delimiter, number=20, **changes):
    """A header and rows, of which some (by their number, from 0) have another text."""
    lines = [delimiter.join(NAMES)]
    for n in range(number):
        text = changes.get(f"row_{n}", f"text {n}")
        lines.append(delimiter.join([text, ("good", "bad")[n % 2], ("shop", "web")[n // 2 % 2]]))
    return "\n".join(lines) + "\n"


def test_lone_quotes_late_in_a_tsv_are_characters(read):
    """Beyond what a sample of the first lines would show; 18 rows stand between the two."""
    content = table("\t", 600, row_300='"opened here', row_319='and closed here "')
    rows, faults, notes = read("a.tsv", content)
    assert (len(rows), faults) == (600, [])
    assert rows[300][0] == '"opened here'
    assert notes == [
        "UTF-8 (detected), delimiter tab, quotes are plain characters",
        "600 rows on 601 lines",
    ]


def test_texts_over_lines_in_a_tsv_that_quotes_are_counted(read):
    content = table("\t", row_4='"one\ntwo, ""so""\n\nfour"', row_9='"5\n6"')
    rows, faults, notes = read("a.tsv", content)
    assert (len(rows), faults) == (20, [])
    assert rows[4][0] == 'one\ntwo, "so"\n\nfour'
    assert notes[1] == "20 rows on 25 lines"
    assert notes[2].startswith("2 rows go on over several lines (first: ")
    assert notes[2].endswith("a.tsv:6)")


def test_a_tsv_that_quotes_with_one_row_that_does_not(read):
    """The kind of fewer faults: here eight texts over lines and one lone quote."""
    quoted = {f"row_{n}": f'"text\nover lines {n}"' for n in range(8)}
    content = table("\t", **quoted, row_12='"opened here', row_14='and closed here "')
    rows, faults, _ = read("a.tsv", content)
    assert len(rows) == 19
    assert [line for line, _ in faults] == [22]
    assert "the lines are rows by themselves; write a cell that holds a quote" in faults[0][1]


def test_a_text_alone_in_its_column_tells_by_other_quotes(read, tmp_path):
    """Lines of one cell are all alike; but nobody who quotes cells leaves a quote unquoted."""
    path = tmp_path / "a.tsv"

    def texts(*lines):
        path.write_text("\n".join(["text", *lines]))
        source = RowSource(path, {"text": "text"}, fault=lambda *fault: pytest.fail(str(fault)))
        return [row["text"] for _, row in read_file(source, "tsv")]

    plain = ['"opened here', 'an inch is 1"', 'closed "']
    assert texts(*plain) == plain
    assert texts('"opened here', 'closed "') == ["opened here\nclosed "]


@pytest.mark.parametrize("delimiter", [",", ";", "|"])
def test_a_quote_that_swallows_rows_of_csv_is_a_fault(read, delimiter):
    content = table(delimiter, row_4='"opened here', row_7='and closed here"')
    rows, faults, _ = read("a.csv", content)
    assert [line for line, _ in faults] == [6]
    assert "is opened in this row and closed in line 9, yet the lines are rows by" in faults[0][1]
    assert len(rows) == 19


def test_a_text_that_comes_again_and_again_is_no_name(read):
    """What stands in quotes is not asked whether it stands elsewhere."""
    content = table(",", 40, **{f"row_{n}": "ok" for n in range(30)}, row_35='"a', row_37='b"')
    _, faults, _ = read("a.csv", content)
    assert [line for line, _ in faults] == [37]


@pytest.mark.parametrize(
    "text",
    [
        '"Good, cheap, fast\nand so on"',
        '"one\n\ntwo"',
        '"a list,good,\nof, two, things"',
        '"- first\n- second, good, shop\n- third"',
    ],
)
def test_texts_over_lines_in_csv_are_texts(read, text):
    rows, faults, notes = read("a.csv", table(",", row_3=text))
    assert (len(rows), faults) == (20, [])
    assert rows[3][0] == text.strip('"')
    assert "1 rows go on over several lines" in notes[-1]


@pytest.mark.parametrize(
    ("name", "first", "delimiter"),
    [
        ("a.csv", "sep=;\r\n", ";"),
        ("a.csv", '"sep=|"\n', "|"),
        ("a.csv", "SEP=,\n", ","),
        ("a.csv", "sep=\t\n", "\t"),
        ("a.csv", "sep=^\n", "^"),
        ("a.tsv", "sep=;\n", ";"),
        ("a.txt", "\ufeffsep=;\n", ";"),
    ],
)
def test_excels_line_names_the_delimiter_and_is_no_header(read, name, first, delimiter):
    rows, faults, notes = read(name, first + table(delimiter, 4))
    assert (len(rows), faults) == (4, [])
    assert notes[-1] == "4 rows on 6 lines"


def test_a_stated_delimiter_counts_more_than_excels_line(read):
    rows, _, _ = read("a.csv", "sep=;\n" + table(","), delimiter="comma")
    assert len(rows) == 20


def test_rows_of_empty_cells_are_one_remark(read):
    content = table(",", 3) + ",,\n" * 3 + ',"", \n' + ",,,,\n" + table(",", 3).split("\n", 1)[1]
    rows, faults, notes = read("a.csv", content)
    assert (len(rows), faults) == (6, [])
    assert notes[1] == "6 rows on 12 lines"
    assert notes[2].startswith("5 rows of empty cells, left out (first: ")
    assert notes[2].endswith("a.csv:5)")
    # Where rows come out as they came in, these are rows.
    rows, faults, _ = read("a.csv", content, as_is=True)
    assert len(rows) == 11
    assert [line for line, _ in faults] == []


def test_files_joined_with_their_headers(read):
    content = table(",", 2).encode() + b"\xef\xbb\xbf" + table(",", 2).encode()
    rows, faults, notes = read("a.csv", content)
    assert (len(rows), faults) == (4, [])
    assert notes[-1].startswith("1 headers between rows, left out (first: ")


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("text,label,domain,,", "a,b,c,,"),
        ("text,label,domain,,", "a,b,c"),
        ("text,label,domain", "a,b,c,,,"),
        ("text,label,domain,", "a,b,c, ,"),
        (" text ,label\t, domain", "a,b,c"),
        ("text,label,domain,,", "a,b,c,note,"),
    ],
)
def test_empty_cells_behind_the_last_column(read, header, row):
    assert read("a.csv", f"{header}\n{row}\n")[:2] == ([("a", "b", "c")], [])


@pytest.mark.parametrize("row", ["a,b", "a,b,c,d", "a,b,c,,d"])
def test_other_numbers_of_cells_are_faults(read, row):
    rows, faults, _ = read("a.csv", f"text,label,domain\n{row}\n")
    assert rows == []
    assert [line for line, _ in faults] == [2]


def test_a_nul_stands_in_the_cell_that_holds_it(read):
    rows, faults, _ = read("a.csv", table(",", row_3="a\0b"))
    assert (rows[3][0], faults) == ("a\0b", [])


def test_a_file_made_to_be_read_again_is_a_tsv_without_quotes(tmp_path, monkeypatch):
    """The reader gives up on it as quoted, and reads it as it stands."""
    monkeypatch.setattr("easymft.data.files.csv_rows.MAX_ROW_CHARACTERS", 1_000)
    monkeypatch.setattr("easymft.data.files.csv_rows.MAX_REREAD_CHARACTERS", 50_000)
    path = tmp_path / "a.tsv"
    path.write_text("text\tlabel\tdomain\n" + '"\ta\t"x\n' * 1_000)
    source = RowSource(path, {"text": "text"}, fault=lambda *fault: pytest.fail(str(fault)))
    assert len(list(read_delimited(source, "\t"))) == 1_000
