"""Files of many shapes, the recipe that is guessed for each, and whether it can be used."""

import csv
import gzip
import json
import random
import shlex
from pathlib import Path

import jsonschema
import pandas as pd
import pytest

from easymft.config.loading import load_config
from easymft.errors import InputError
from easymft.init import init_recipe
from easymft.init.recipe import TRAINING
from easymft.runs.execution import execute
from easymft.runs.run import Run
from tests.models.hugging_face import write_bert

ROOT = Path(__file__).parents[2]
WORDS = ("the", "cafe", "good", "goodness", "!")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder of the test's own, where `init` writes by default."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EASYMFT_CACHE_DIR", str(tmp_path / "cache"))


def rows(columns, labels=("bad", "good"), domains=("shop", "web", "app"), cell=12):
    """Rows whose columns hold what `columns` (name -> role) says."""
    found = []
    for number in range(cell * len(labels) * len(domains)):
        draw = random.Random(number)
        words = [WORDS[number // 5**k % 5] for k in range(3)]
        cells = {
            "text": " ".join([*words, "the good cafe"]),
            "title": " ".join(words),
            "pair": " ".join(reversed(words)) + " cafe the",
            "label": labels[number % len(labels)],
            "domain": domains[number // len(labels) % len(domains)],
            "id": f"t{number}",
            "split": ("train", "train", "train", "validation", "test")[number // 6 % 5],
            "number": draw.random(),
            "few": draw.choice(["x", "y", "z"]),
            "nothing": "",
        }
        found.append({name: cells[role] for name, role in columns.items()})
    return found


def write_csv(path, table, delimiter=",", opened=open):
    with opened(path, "wt", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(table)


def tickets_csv(folder):
    names = {"ticket_id": "id", "Body": "text", "title": "title", "topic": "label"}
    write_csv(folder / "tickets.csv", rows({**names, "tenant": "domain", "age": "number"}))
    return "tickets.csv", {"text": "Body", "label": "topic", "domain": "tenant", "id": "ticket_id"}


def semicolons_gz(folder):
    table = rows({"Sentiment": "label", "reviewText": "text", "productCategory": "domain"})
    write_csv(folder / "reviews.csv.gz", table, ";", gzip.open)
    columns = {"text": "reviewText", "label": "Sentiment", "domain": "productCategory"}
    return "reviews.csv.gz", columns


def stars_tsv(folder):
    table = rows({"stars": "label", "channel": "domain", "x1": "text"}, labels=(1, 2, 5))
    write_csv(folder / "stars.tsv", table, "\t")
    return "stars.tsv", {"text": "x1", "label": "stars", "domain": "channel"}


def pairs_jsonl(folder):
    names = {"pairID": "id", "premise": "text", "hypothesis": "pair", "gold_label": "label"}
    table = rows({**names, "genre": "domain", "annotator": "few"}, labels=("yes", "no", "maybe"))
    lines = [json.dumps(row) for row in table]
    (folder / "nli.jsonl").write_text("\n".join(lines), encoding="utf-8")
    columns = {"text": "premise", "text_pair": "hypothesis", "label": "gold_label"}
    return "nli.jsonl", {**columns, "domain": "genre", "id": "pairID"}


def split_parquet(folder):
    table = rows({"text": "text", "class": "label", "platform": "domain", "fold": "split"})
    pd.DataFrame(table).to_parquet(folder / "posts.parquet")
    columns = {"text": "text", "label": "class", "domain": "platform", "split": "fold"}
    return "posts.parquet", columns


def unnamed_csv(folder):
    names = {"a": "text", "kind": "label", "b": "domain", "c": "number", "d": "nothing"}
    write_csv(folder / "1 odd name!.csv", rows(names))
    return "1 odd name!.csv", {"text": "a", "label": "kind", "domain": "b"}


def three_files(folder):
    table = rows({"comment": "text", "label": "label", "site": "domain"})
    (folder / "parts").mkdir()
    # Cells run through all rows, so any cut has all of them; the texts in a part are its own.
    for name, part in (("Train", table[:48]), ("val", table[48:60]), ("test", table[60:])):
        write_csv(folder / f"parts/{name}.csv", part)
    return "parts", {"text": "comment", "label": "label", "domain": "site"}


def text_folder(folder):
    for row in rows({"t": "text", "l": "label", "d": "domain", "i": "id"}, cell=6):
        place = folder / "texts" / row["d"] / row["l"]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{row['i']}.txt").write_text(row["t"])
    return "texts", {}


SHAPES = [
    *(tickets_csv, semicolons_gz, stars_tsv, pairs_jsonl, split_parquet, unnamed_csv),
    *(three_files, text_folder),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_the_recipe_of_any_shape_passes_validation(tmp_path, shape):
    write_bert(tmp_path / "bert")
    source, columns = shape(tmp_path)
    tiny = [f"backbone.preset={tmp_path / 'bert'}", "backbone.max_length=12"]
    lines = init_recipe(source, "recipe.json", tiny)
    recipe = json.loads(Path("recipe.json").read_text())
    assert recipe["data"].get("columns", {}) == columns
    # Editors accept it by the schema beside it.
    schema = json.loads(Path(recipe["$schema"]).read_text())
    jsonschema.validate(recipe, schema)
    assert lines[-1] == "Next: python -m easymft.run --config recipe.json --mode validate"
    facts = execute(Run(load_config("recipe.json")), "validate")["stages"]["validate"]
    assert sorted(facts["domains"]) == ["app", "shop", "web"]
    assert len(facts["labels"]) >= 2


def test_the_words_say_what_why_and_what_not(tmp_path):
    source, _ = tickets_csv(tmp_path)
    lines = init_recipe(source)
    assert lines[0] == "Wrote tickets.json."
    said = "\n".join(lines)
    assert "72 rows were looked at" in said
    assert "text       Body" in said
    assert "or `title`?" in said
    assert "2 values: bad, good; its name fits, and no other column's does" in said
    assert "3 values: shop, web, app; its name" in said
    assert "not used: title, age" in said
    recipe = json.loads(Path("tickets.json").read_text())
    assert recipe["description"] == (
        "Body of tickets.csv: 2 classes of topic, 3 domains of tenant."
    )


def test_what_to_check_is_counted(tmp_path):
    table = rows({"text": "text", "label": "label", "domain": "domain"})
    table[0]["label"] = "rare"
    table[1]["text"] = ""
    write_csv(tmp_path / "a.csv", table)
    said = "\n".join(init_recipe("a.csv"))
    assert "labels with fewer than 10 texts: rare" in said
    assert "text: 1 empty row; mend it, or --set data.on_bad_row=skip" in said
    assert "no column of ids" in said


def test_a_recipe_is_never_overwritten(tmp_path):
    source, _ = tickets_csv(tmp_path)
    Path("tickets.json").write_text("mine")
    with pytest.raises(InputError, match=r"tickets.json: exists already; name another"):
        init_recipe(source)
    assert Path("tickets.json").read_text() == "mine"
    init_recipe(source, "new/other.json")
    assert {path.name for path in Path("new").iterdir()} == {"other.json", "schema"}


def test_names_with_spaces_can_be_written_and_the_next_command_be_pasted(tmp_path):
    source, _ = tickets_csv(tmp_path)
    (tmp_path / source).rename("my tickets (1).csv")
    lines = init_recipe("my tickets (1).csv", "my new/recipe of $me.json")
    command = shlex.split(lines[-1].removeprefix("Next: "))
    assert command[2:5] == ["easymft.run", "--config", "my new/recipe of $me.json"]
    config = load_config(command[4])
    assert config.name == "recipe-of-me"
    assert config.data.files == {"all": "my tickets (1).csv"}
    schema = json.loads(Path("my new/schema/recipe.schema.json").read_text())
    jsonschema.validate(json.loads(Path("my new/recipe of $me.json").read_text()), schema)


def test_a_key_that_one_object_lacks_is_a_column(tmp_path):
    table = rows({"reviewText": "text", "summary": "title", "overall": "label", "site": "domain"})
    del table[38]["reviewText"]
    (tmp_path / "a.json").write_text("\n".join(map(json.dumps, table)))
    said = "\n".join(init_recipe("a.json"))
    recipe = json.loads(Path("a-recipe.json").read_text())
    assert recipe["data"]["columns"]["text"] == "reviewText"
    assert "text       reviewText" in said
    assert "text: 1 empty row; mend it" in said


def test_a_text_without_spaces_is_one(tmp_path):
    kinds = ("\u597d\u8bc4", "\u5dee\u8bc4")
    table = [
        {"\u5185\u5bb9": f"\u5feb\u9012\u592a\u6162\u4e86{n}", "label": kinds[n % 2], "site": "web"}
        for n in range(40)
    ]
    write_csv(tmp_path / "a.csv", table)
    said = "\n".join(init_recipe("a.csv"))
    assert "texts of 4 words; its texts are the longest" in said


def test_what_is_stated_comes_before_every_guess(tmp_path):
    names = {"text": "text", "title": "title", "label": "few", "kind": "label", "site": "domain"}
    write_csv(tmp_path / "a.csv", rows(names))
    stated = ["data.columns.label=kind", "data.columns.text_pair=title", "mft.alpha=0.75"]
    said = "\n".join(init_recipe("a.csv", "-", [*stated, "data.columns.id=null"]))
    recipe = json.loads(Path("a.json").read_text())
    assert recipe["data"]["columns"] == {
        **{"text": "text", "text_pair": "title", "label": "kind", "domain": "site"},
        "id": None,
    }
    assert recipe["mft"] == {"alpha": 0.75}
    assert "as you said" in said


@pytest.mark.parametrize(
    ("names", "message"),
    [
        # No domain; two columns that may be the classes; nothing that may be the text.
        (
            {"text": "text", "label": "label"},
            "the domain: say so by --set data.columns.domain=COLUMN. Columns: 'text' (texts of 6 "
            "words); 'label' (2 values: bad, good)",
        ),
        (
            {"text": "text", "p": "label", "q": "domain", "r": "few"},
            "the label and the domain: say so by --set data.columns.label=COLUMN "
            "--set data.columns.domain=COLUMN",
        ),
        ({"label": "label", "domain": "domain"}, "the text: say so by --set data.columns.text="),
        ({"text": "text", "label": "number", "site": "domain"}, "'label' (no value twice)"),
    ],
)
def test_what_cannot_be_guessed_is_asked_for(tmp_path, names, message):
    write_csv(tmp_path / "a.csv", rows(names))
    with pytest.raises(InputError) as caught:
        init_recipe("a.csv")
    assert str(caught.value).startswith("a.csv: cannot tell which column holds ")
    assert message in str(caught.value)
    assert not Path("a.json").exists()


def test_an_id_that_comes_twice_is_none(tmp_path):
    table = rows({"id": "id", "text": "text", "label": "label", "domain": "domain"})
    table[1]["id"] = table[0]["id"]
    write_csv(tmp_path / "a.csv", table)
    init_recipe("a.csv")
    assert "id" not in json.loads(Path("a.json").read_text())["data"]["columns"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty; its first line must name the columns"),
        ("a.csv", b"text,label,domain\n", "holds no row below its header"),
        ("a.csv", b'"text,label\n', "the header cannot be read"),
        ("a.jsonl", b"[1]\n[2]\n", "holds no named column"),
        ("a.parquet", b"PAR1", "cannot be read as Parquet"),
        ("a.xlsx", b"", "cannot tell the format"),
        ("a.csv.gz", b"\x1f\x8b\x08", "damaged gzip file"),
    ],
)
def test_files_that_cannot_be_read_are_one_error(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        init_recipe(name)


@pytest.mark.parametrize(
    ("source", "overrides", "message"),
    [
        ("-", [], "`--input`: is missing"),
        ("nowhere.csv", [], "no file found. Received: 'nowhere.csv'"),
        ("tickets.csv", ["mft.alhpa=1"], "`mft.alhpa`: unknown key"),
        ("tickets.csv", ["data.columns.label=klass"], "the label: say so"),
        ("tickets.csv", ["data.format=easytransfer"], "must be csv, tsv"),
    ],
)
def test_bad_command_lines_are_one_error(tmp_path, source, overrides, message):
    tickets_csv(tmp_path)
    with pytest.raises(InputError, match=message):
        init_recipe(source, "-", overrides)
    assert not Path("tickets.json").exists()


def test_training_settings_are_those_of_the_recipe_for_own_files():
    recipe = load_config(ROOT / "app_zoo/own_csv.json").to_dict()
    for section, settings in TRAINING.items():
        assert {name: recipe[section][name] for name in settings} == settings
