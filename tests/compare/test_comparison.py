"""Comparisons of a tiny corpus and encoder."""

import json

import pyarrow.parquet as pq
import pytest

from easymft.compare import comparison
from easymft.compare.comparison import ROWS, Comparison
from easymft.config.loading import load_config
from tests.small_run import texts, write_recipe

FOLDS = 3  # of five, to save time
TRAINED = ("mix", "mtl")  # of three


@pytest.fixture(autouse=True)
def few_folds(fast, monkeypatch):
    monkeypatch.setattr(comparison, "FOLDS", FOLDS)


@pytest.mark.long
@pytest.mark.parametrize(("minutes", "fits"), [(0, False), (10_000, True)])
def test_a_plan_says_what_fits_and_runs_nothing(tmp_path, minutes, fits):
    lines = list(Comparison(write_recipe(tmp_path), [], minutes).plan())
    assert lines[0] == f"tfidf, embed: seconds, {FOLDS} folds"
    assert [line.split(":")[0] for line in lines[1:]] == list(ROWS[2:])
    assert all(("does not fit" in line) is not fits for line in lines[1:])
    assert not (tmp_path / "runs").exists()


def test_self_training_is_a_row_where_there_are_texts_without_labels(tmp_path):
    path = write_recipe(tmp_path)
    assert Comparison(path).names == ROWS
    (tmp_path / "more.csv").write_text("id,text,domain\nu1,! ! ! !,books\n")
    recipe = json.loads(path.read_text())
    recipe["data"]["files"]["unlabeled"] = str(tmp_path / "more.csv")
    path.write_text(json.dumps(recipe))
    assert Comparison(path).names == (*ROWS, "mix_self")


@pytest.mark.long
def test_without_time_there_are_the_cheap_rows_and_every_text_is_held_out_once(tmp_path):
    recipe = write_recipe(tmp_path)
    compared = Comparison(recipe, ["mft.alpha=0.75"], minutes=0)
    text = compared.run()
    assert "TF-IDF, logistic regression" in text
    assert "There was no time for BERT (Mix) and Mix, then fine-tune and MFT (Full)" in text
    folder = tmp_path / "runs/tiny/compare"
    predictions = pq.read_table(folder / "predictions.parquet").to_pandas()
    assert set(predictions["method"]) == {"tfidf", "embed"}
    for _, own in predictions.groupby("method"):
        assert sorted(own["id"]) == sorted(row["id"] for row in texts())
    assert (folder / "compare.md").read_text() == text
    page = (folder / "compare.html").read_text()
    assert "easymft comparison report" in page
    # What it recommends is ready to run, with what the command line has set.
    config = load_config(folder / "recommended.json")
    assert config.method in ("tfidf", "embed")
    assert config.mft.alpha == 0.75
    assert config.data.split.kind == "seeded"
    assert config.data.files == load_config(recipe).data.files


@pytest.mark.long
def test_where_classes_are_rare_it_shows_what_balancing_them_does(tmp_path):
    path = write_recipe(tmp_path)
    lines = (tmp_path / "texts.csv").read_text().splitlines(keepends=True)
    good = [line for line in lines[1:] if ",good," in line]
    kept = [line for line in lines if line not in good or good.index(line) % 12 < 6]
    (tmp_path / "texts.csv").write_text("".join(kept))
    compared = Comparison(path, [], minutes=0)
    text = compared.run()
    name = json.loads((tmp_path / "runs/tiny/compare/recommended.json").read_text())["method"]
    balanced = {key for key in compared._evidence if key[0] != comparison.WHOLE}
    assert balanced == {("classes-weighted", name, fold) for fold in range(1, FOLDS + 1)}
    # 36 bad ones and 18 good ones.
    assert "- Classes are of unequal size: 67 % of the texts are `bad`." in text
    assert "- `class_balance` loss takes balanced accuracy from " in text
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line] for line in lines]
    assert [(row[0], row[-1]) for row in rows[-4:] if row[-1] != "---:"] == [
        ("classes balanced by", "folds"),
        ("none", "3"),
        ("loss", "3"),
    ]
    assert "Rare classes" in (tmp_path / "runs/tiny/compare/compare.html").read_text()


@pytest.mark.slow
def test_rows_are_added_fold_by_fold_as_long_as_there_is_time(tmp_path, monkeypatch):
    path = write_recipe(tmp_path)
    recipe = json.loads(path.read_text())
    recipe["meta_fine_tune"]["epochs"] = recipe["fine_tune"]["epochs"] = 1
    path.write_text(json.dumps(recipe))
    allowed = []

    class Twice(comparison.Budget):
        def allows(self, seconds):
            allowed.append(seconds)
            return len(allowed) <= 2

    monkeypatch.setattr(comparison, "Budget", Twice)
    monkeypatch.setattr(comparison, "ROWS", (*ROWS[:2], *TRAINED))
    compared = Comparison(path, [], minutes=60)
    compared.run()
    done = {key[1:] for key in compared._evidence}
    cheap = {(name, fold) for name in ("tfidf", "embed") for fold in range(1, FOLDS + 1)}
    # Two folds were asked for at first, then one more at a time: the second, and no third.
    trained = {(name, fold) for name in TRAINED for fold in (1, 2)}
    assert done == cheap | trained
    seeds = [len(row.seeds) for row in compared._rows(comparison.WHOLE).values()]
    assert seeds == [3, 3, 2, 2]
