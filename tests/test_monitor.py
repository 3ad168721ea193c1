"""Served texts beside those of a tiny run."""

import csv

import pytest

from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.monitor import monitor
from easymft.runs.execution import execute
from easymft.runs.run import Run
from tests.small_run import texts, write_recipe


def write(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "domain"])
        writer.writerows(rows)
    return str(path)


@pytest.mark.long
def test_texts_like_the_run_s_have_not_moved_and_strange_ones_have(tmp_path, monkeypatch):
    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(tmp_path / "cache"))
    settings = ["method=embed", "data.split.test=0.4", "export=true"]
    run = Run(load_config(write_recipe(tmp_path), settings))
    with pytest.raises(InputError, match="run `--mode evaluate` first"):
        monitor(run, "-", 0.25, tmp_path)
    execute(run)
    own = [(row["text"], row["domain"]) for row in texts()] * 5
    drift = monitor(run, write(tmp_path / "own.csv", own), 0.25, tmp_path / "own")
    assert drift.texts == len(own)
    assert {measure.domain for measure in drift.measures} == {"books", "films", "tools"}
    assert [m for m in drift.moved if m.name in ("unknown pieces", "cut texts")] == []
    strange = [("zzz qqq xxx", "books")] * 60 + [("the cafe", "garden")] * 60 + own[-3:]
    drift = monitor(run, write(tmp_path / "new.csv", strange), 0.25, tmp_path / "new")
    moved = {(measure.domain, measure.name) for measure in drift.moved}
    assert {("books", "unknown pieces"), ("books", "familiarity")} <= moved
    # A domain that training did not know is beside all; one with few texts is only named.
    assert {measure.domain for measure in drift.measures} == {"books", ""}
    assert drift.few == {"tools": 3}
    page = (tmp_path / "new" / "drift.html").read_text()
    assert "(no known domain)" in page
    assert 'measure="unknown pieces"' in (tmp_path / "new" / "drift.prom").read_text()
