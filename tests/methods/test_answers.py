import numpy as np
import pyarrow as pa
import pytest
from scipy.special import softmax

from easymft.config import Answers
from easymft.errors import InputError
from easymft.methods import answers
from easymft.methods.reliability import calibration

LABELS, DOMAINS = ("bad", "good"), ("books", "dvd", "toys")
RNG = np.random.default_rng(0)


def predictions(texts=400, temperature=3.0, splits=("dev", "test")):
    """Answers of two domains, three times as sure as they should be; toys have no texts."""
    tables = []
    for split in splits:
        for domain in DOMAINS[:2]:
            logits = RNG.normal(size=(texts, 2)) * 6
            chance = softmax(logits / temperature, axis=1)[:, 1]
            label = (RNG.random(texts) < chance).astype(int)
            own = softmax(logits, axis=1).astype("float32")
            tables.append(
                pa.table(
                    {
                        "model": ["meta-learner"] * texts,
                        "split": [split] * texts,
                        "id": [f"{split}-{domain}-{n}" for n in range(texts)],
                        "domain": [domain] * texts,
                        "label": pa.array(LABELS).take(pa.array(label)),
                        "predicted": pa.array(LABELS).take(pa.array(own.argmax(axis=1))),
                        "probabilities": pa.array(list(own), pa.list_(pa.float32())),
                    }
                )
            )
    return pa.concat_tables(tables)


def test_test_texts_are_calibrated_by_development_texts_and_keep_their_answers():
    raw = predictions()
    facts = answers.fit(raw, LABELS, DOMAINS, Answers())
    (model,) = facts["models"].values()
    for name in ("books", "dvd"):
        assert model["domains"][name]["temperature"] == pytest.approx(3, rel=0.25)
        assert model["domains"][name] | {"temperature": 0, "right": 0} == {
            **{"temperature": 0, "threshold": 0.0, "texts": 400, "answered": 400},
            **{"right": 0, "needed": None},
        }
    assert model["domains"]["toys"]["temperature"] == model["unknown"]["temperature"]
    found = answers.calibrated(raw, facts, DOMAINS)
    assert found.drop_columns("probabilities") == raw.drop_columns("probabilities")
    probabilities = np.array(found["probabilities"].to_pylist())
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    picked = pa.array(LABELS).take(pa.array(probabilities.argmax(axis=1)))
    assert picked == found["predicted"].combine_chunks()
    tried = answers.tried(raw, found, facts, DOMAINS)["meta-learner"]
    assert tried["error_before"] == calibration(raw, DOMAINS)["meta-learner"]["test"]["average"]
    assert tried["error_after"] < 0.5 * tried["error_before"]
    # As good as perfect, as far as 400 texts can tell.
    assert tried["error_after"] == pytest.approx(tried["error_by_chance"], abs=0.02)
    everyone = tried["domains"]["books"]
    assert everyone["texts"] == everyone["answered"] == 400


def test_what_is_answered_is_right_as_often_as_asked_and_no_text_is_where_there_are_none():
    raw = predictions(2_000)
    settings = Answers(target_accuracy=0.9, confidence=0.9)
    facts = answers.fit(raw, LABELS, DOMAINS, settings)
    assert facts["target_accuracy"] == facts["confidence"] == 0.9
    rows = facts["models"]["meta-learner"]["domains"]
    assert rows["toys"]["threshold"] is None
    assert rows["toys"]["needed"] == 22  # 0.9^22 < 0.1 < 0.9^21
    found = answers.calibrated(raw, facts, DOMAINS)
    tried = answers.tried(raw, found, facts, DOMAINS)["meta-learner"]["domains"]
    for name in ("books", "dvd"):
        assert rows[name]["right"] / rows[name]["answered"] >= 0.9
        assert 0.2 < tried[name]["answered"] / tried[name]["texts"] < 1
        assert tried[name]["right"] / tried[name]["answered"] > 0.88
    assert tried["toys"] == {"texts": 0, "answered": 0, "right": 0}


def test_without_calibration_or_development_texts_probabilities_stay():
    raw = predictions(50)
    facts = answers.fit(raw, LABELS, DOMAINS, Answers(calibrate=False))
    assert answers.calibrated(raw, facts, DOMAINS) == raw
    raw = predictions(50, splits=["test"])
    with pytest.raises(InputError, match=r"`answers.target_accuracy`: is shown by development"):
        answers.fit(raw, LABELS, DOMAINS, Answers(target_accuracy=0.9))
    facts = answers.fit(raw, LABELS, DOMAINS, Answers())
    assert facts["models"] == {}
    assert answers.calibrated(raw, facts, DOMAINS) == raw
    assert answers.tried(raw, raw, facts, DOMAINS) == {}
    rules = answers.rules(facts, "meta-learner", DOMAINS)
    assert rules.temperatures.tolist() == [1] * 4
