"""Audits of a tiny corpus and encoder."""

import csv

import pyarrow.parquet as pq
import pytest

from easymft.auditing.audit import Audit
from easymft.errors import InputError
from tests.small_run import texts, write_recipe


def read_csv(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def recipe(tmp_path, fast):
    path = write_recipe(tmp_path)
    with open(tmp_path / "texts.csv", "a", encoding="utf-8") as file:
        file.write('=t,"The cafe is good goodness, the cafe!",good,tools,0.5\n')
        file.write("odd,the cafe is good goodness the cafe,bad,books,0.5\n")
    return path


@pytest.mark.long
def test_an_audit_judges_every_labelled_text_and_lists_what_to_look_at(recipe, tmp_path):
    told = Audit(recipe, ["audit.folds=3"]).run()
    folder = tmp_path / "runs/tiny/audit"
    every = pq.read_table(folder / "audit.parquet").to_pandas()
    assert sorted(every["id"]) == sorted([row["id"] for row in texts()] + ["=t", "odd"])
    assert every["score"].is_monotonic_decreasing
    assert every["probability"].between(0, 1).all()
    rows = {row["id"]: row for row in read_csv(folder / "audit.csv")}
    assert set(rows) == {
        f"'{id_}" if id_ == "=t" else id_ for id_ in every["id"][every["why"] != ""]
    }
    assert list(rows["odd"])[:7] == [
        "id",
        "file",
        "line",
        "domain",
        "text",
        "label",
        "suggested_label",
    ]
    assert "same text as =t, which has label good" in rows["odd"]["why"]
    assert "same text as odd, which has label bad" in rows["'=t"]["why"]
    assert (rows["odd"]["line"], rows["odd"]["decision"]) == ("75", "")
    assert rows["odd"]["checksum"] != rows["'=t"]["checksum"]
    assert "74 labelled texts, of which" in told
    # With four of the small corpus that differ by an exclamation mark.
    assert "6 stand elsewhere with another label (" in told


@pytest.mark.long
def test_a_trained_encoder_judges_too_if_there_is_time(recipe, tmp_path):
    settings = ["audit.folds=2", "audit.method=mix", "meta_fine_tune.epochs=1"]
    with pytest.raises(InputError, match=r"`--minutes`: is too little: 2 folds by `mix`"):
        Audit(recipe, settings, minutes=0).run()
    Audit(recipe, settings).run()
    every = pq.read_table(tmp_path / "runs/tiny/audit/audit.parquet").to_pandas()
    assert every["probability"].between(0, 1).all()
    assert len(every) == 74
    page = (tmp_path / "runs/tiny/audit/audit.html").read_text()
    assert all(f">{domain}</a>" in page for domain in ("Overview", "books", "films", "tools"))


@pytest.mark.long
def test_a_plan_counts_and_estimates(recipe, tmp_path):
    first, second = Audit(recipe).plan()
    assert first == "74 labelled texts, 5 folds, by embed"
    assert second.startswith("estimated time: about ")
    assert not (tmp_path / "runs").exists()


@pytest.mark.long
def test_texts_of_one_class_tell_nothing(recipe, tmp_path):
    lines = (tmp_path / "texts.csv").read_text().splitlines(keepends=True)
    kept = [line for line in lines if ",bad," not in line]
    (tmp_path / "texts.csv").write_text("".join(kept))
    with pytest.raises(InputError, match="labels of two classes or more"):
        Audit(recipe).run()


@pytest.mark.long
def test_a_budget_is_spent_on_texts_without_a_label(recipe, tmp_path):
    with pytest.raises(InputError, match=r"`--budget`: is for texts without a label"):
        Audit(recipe, budget=4).run()
    lines = [f"u{n},the good cafe {'! ' * n},{'books' if n % 2 else 'tools'}" for n in range(12)]
    (tmp_path / "bare.csv").write_text("id,text,domain\n" + "\n".join(lines) + "\n")
    files = f"data.files.unlabeled={tmp_path}/bare.csv"
    told = Audit(recipe, ["audit.folds=2", files], budget=4).run()
    rows = read_csv(tmp_path / "runs/tiny/audit/label_next.csv")
    assert len(rows) == 4
    assert {row["label"] for row in rows} == {""}
    assert {row["suggested_label"] for row in rows} <= {"good", "bad"}
    assert all(row["id"].startswith("u") for row in rows)
    assert "Label next: " in told


@pytest.mark.long
def test_what_was_decided_is_followed_and_not_asked_again(recipe, tmp_path):
    Audit(recipe, ["audit.folds=2"]).run()
    path = tmp_path / "runs/tiny/audit/audit.csv"
    rows = read_csv(path)
    decided = {"odd": "relabel", "'=t": "keep"}
    with open(tmp_path / "decided.csv", "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            label = "good" if row["id"] == "odd" else row["suggested_label"]
            decision = decided.get(row["id"], "")
            writer.writerow({**row, "decision": decision, "suggested_label": label})
    told = Audit(recipe, ["audit.folds=2", f"data.corrections={tmp_path}/decided.csv"]).run()
    assert "4 stand elsewhere with another label (" in told
    again = pq.read_table(path.with_suffix(".parquet")).to_pandas().set_index("id")
    assert again["label"]["odd"] == "good"
    assert set(again["why"][["odd", "=t"]]) == {""}
