"""A whole run in seconds: a random BERT of one layer and width 4, and 72 texts of three domains."""

import csv
import json

from tests.models.hugging_face import write_bert

DOMAINS, LABELS = ("books", "films", "tools"), ("bad", "good")
WORDS = ("the", "cafe", "good", "goodness", "!")


def texts():
    """Distinct texts, 12 per domain and class, spelt from the tiny vocabulary."""
    rows = []
    for d, domain in enumerate(DOMAINS):
        for c, label in enumerate(LABELS):
            for i in range(12):
                number = (d * 2 + c) * 12 + i
                words = [WORDS[number // 5**k % 5] for k in range(3)]
                text = " ".join([*words, *["good"] * (i % 4) * c, *["the"] * (i % 4) * (1 - c)])
                rows.append({"id": f"t{number}", "text": text, "label": label, "domain": domain})
    return rows


def write_recipe(folder, **settings):
    """Write data, encoder and recipe into `folder`; returns the recipe's path."""
    write_bert(folder / "bert", num_layers=1)
    with open(folder / "texts.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "text", "label", "domain", "weight"])
        writer.writeheader()
        # For those who ask for it: the tiny encoder finds all texts typical to seven digits.
        writer.writerows({**row, "weight": 0.5} for row in texts())
    recipe = {
        "name": "tiny",
        "diagnose": False,
        "output_dir": str(folder / "runs"),
        "data": {
            "source": "files",
            "files": {"all": str(folder / "texts.csv")},
            "columns": {"id": "id"},
            "split": {"kind": "seeded", "dev": 0.2, "test": 0.2},
        },
        "backbone": {"preset": str(folder / "bert"), "max_length": 12},
        "meta_fine_tune": {"epochs": 2, "learning_rate": 0.01, "batch_size": 16},
        "fine_tune": {"epochs": 1, "learning_rate": 0.01, "batch_size": 16},
        **settings,
    }
    path = folder / "tiny.json"
    path.write_text(json.dumps(recipe))
    return path
