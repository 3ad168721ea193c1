import csv
import io

import pytest

from easymft.data.files.spreadsheet import MOST_CHARACTERS, guarded, spreadsheet, unguarded

CELLS = ("plain", "=1+1", "@cmd", "-1", "+49 30", " =x", "\t=x", "'quoted'", "'=1", "''-2", "", "é")


@pytest.mark.parametrize("cell", CELLS)
def test_no_cell_is_a_formula_and_each_comes_back(cell):
    assert not guarded(cell).lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unguarded(guarded(cell)) == cell


def test_it_is_what_spreadsheets_read():
    text = spreadsheet(["id", "text"], [{"id": "=a", "text": 'two\nlines, "é"'}, {"id": 3}])
    assert text.startswith("\ufeffid,text\r\n")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert rows == [["id", "text"], ["'=a", 'two\nlines, "é"'], ["3", ""]]


def test_long_cells_are_cut_to_what_fits():
    text = spreadsheet(["text"], [{"text": "x" * 40_000}])
    assert len(text.split("\r\n")[1]) == MOST_CHARACTERS
    assert text.endswith("x…\r\n")
