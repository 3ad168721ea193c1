"""Figures that app_zoo/RESULTS.md prints are those of the predictions that are kept."""

import re
from pathlib import Path

import pyarrow.compute as pc
import pytest

from easymft import files
from easymft.runs.evidence import recompute_tables
from tests.benchmarks import answers

APP_ZOO = Path(__file__).parents[1] / "app_zoo"
KEPT = sorted(path.parent for path in APP_ZOO.glob("results/*/predictions.parquet"))


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_figures_in_print_are_those_of_the_kept_predictions(folder):
    printed = (APP_ZOO / "RESULTS.md").read_text(encoding="utf-8").splitlines()
    assert any(f"results/{folder.name}" in line for line in printed)
    rows = [line for line in recompute_tables(folder).splitlines() if line.startswith("| ")]
    # Of each table the header, and at least a row with a figure.
    assert sum(bool(re.search(r"\d\d\.\d", row)) for row in rows) >= 2
    missing = [row for row in rows if row.replace("\\", "") not in printed]
    assert not missing, f"not in RESULTS.md: {missing}"


def test_a_whole_folder_of_kept_predictions_stays_small():
    for folder in KEPT:
        assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000, folder


@pytest.mark.long
def test_promises_in_print_are_those_of_the_kept_answers():
    printed = (APP_ZOO / "RESULTS.md").read_text(encoding="utf-8").splitlines()
    path = APP_ZOO / "results/beside_other_tools_20_percent/held_out.parquet"
    kept = files.read_parquet(path).filter(pc.field("method") == "mix")
    targets = [0.9, 0.95]
    row = answers.table(answers.shown(kept, 20, targets, 0.9), targets).splitlines()[-1]
    assert row.replace("20-percent, ", "").replace("\\", "") in printed
