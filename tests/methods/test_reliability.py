import numpy as np
import pyarrow as pa
import pytest

from easymft.methods.reliability import (
    accuracy_by_score,
    calibration,
    expected_calibration_error,
    separation,
    typicality_and_errors,
    wrong_labels_found,
)


def test_calibration_error_worked_by_hand():
    # Two bins: (0, 0.5] holds 0.4 (right) and 0.5 (wrong), (0.5, 1] holds 0.6, 0.9, 1.0.
    confidence = np.array([0.4, 0.5, 0.6, 0.9, 1.0])
    correct = np.array([True, False, False, True, False])
    # |1 - 0.9| / 5 + |1 - 2.5| / 5
    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx(0.32)
    # In one bin the gaps of the two would cancel in part: |2 - 3.4| / 5.
    assert expected_calibration_error(confidence, correct, bins=1) == pytest.approx(0.28)


def test_calibration_error_agrees_with_its_definition():
    random = np.random.default_rng(0)
    confidence, correct = random.uniform(0.2, 1, 400), random.random(400) < 0.6
    expected = 0.0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected)


def test_calibration_error_of_extremes():
    assert expected_calibration_error(np.array([1.0, 1.0]), np.array([True, True])) == 0
    # A softmax rounded up is in the last bin, not in one of its own.
    above = np.array([np.float32(1.0000001), 0.99])
    assert expected_calibration_error(above, np.array([True, False])) == pytest.approx(0.495)
    assert expected_calibration_error(np.array([]), np.array([])) is None
    assert expected_calibration_error(np.array([np.nan, 1]), np.array([False, True])) is None


def predictions(rows):
    """A table of (model, split, id, domain, label, predicted, probability of the prediction)."""
    columns = ["model", "split", "id", "domain", "label", "predicted"]
    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(columns)})
    values = [[row[6], 1 - row[6]] for row in rows]
    return table.append_column("probabilities", pa.array(values, pa.list_(pa.float32())))


def test_calibration_per_domain_and_their_average():
    table = predictions(
        [
            ("meta_learner", "dev", "a", "books", "+", "+", 1.0),
            ("meta_learner", "test", "b", "books", "+", "-", 0.75),
            ("meta_learner", "test", "c", "books", "-", "-", 0.75),
            ("meta_learner", "test", "d", "books", "-", "-", 0.75),
            ("meta_learner", "test", "e", "dvd", "-", "-", 0.75),
            ("fine_tuned", "test", "e", "dvd", "-", "+", 0.75),
        ]
    )
    assert calibration(table, ["books", "dvd", "music"]) == {
        "meta_learner": {
            "dev": {"average": 0, "domains": {"books": 0, "dvd": None, "music": None}},
            "test": {
                # books: 2 of 3 right; the average is over domains, not texts.
                "average": pytest.approx((1 / 12 + 0.25) / 2),
                "domains": {"books": pytest.approx(1 / 12), "dvd": 0.25, "music": None},
            },
        },
        "fine_tuned": {
            "test": {"average": 0.75, "domains": {"books": None, "dvd": 0.75, "music": None}}
        },
    }


def test_separation_counts_pairs():
    scores = np.array([0.1, 0.5, 0.5, 0.9])
    correct = np.array([False, True, False, True])
    # right 0.5 against wrong 0.1 and 0.5: 1 + 1/2; right 0.9: 1 + 1
    assert separation(scores, correct) == pytest.approx(3.5 / 4)
    assert separation(scores, ~correct) == pytest.approx(0.5 / 4)
    assert separation(scores, np.ones(4, bool)) is None
    assert separation(np.array([]), np.array([], bool)) is None


def test_accuracy_by_score():
    scores = np.array([0.7, 0.1, 0.2, 0.6, 0.3, 0.5, 0.4])
    correct = scores > 0.35
    assert accuracy_by_score(scores, correct, quantiles=3) == [
        {"low": 0.1, "high": 0.3, "texts": 3, "accuracy": 0.0},
        {"low": 0.4, "high": 0.5, "texts": 2, "accuracy": 1.0},
        {"low": 0.6, "high": 0.7, "texts": 2, "accuracy": 1.0},
    ]
    assert len(accuracy_by_score(scores[:2], correct[:2])) == 2


def test_typicality_and_errors_looks_at_the_texts_of_the_split():
    table = predictions(
        [
            ("meta_learner", "dev", "a", "books", "+", "+", 1.0),
            ("meta_learner", "test", "b", "books", "+", "-", 0.75),
            ("meta_learner", "test", "c", "books", "-", "-", 0.75),
            ("fine_tuned", "test", "b", "books", "+", "+", 0.75),
            ("fine_tuned", "test", "d", "books", "+", "-", 0.75),
        ]
    )
    scores = pa.table({"id": ["c", "b", "a"], "score": pa.array([0.25, 0.5, 1], pa.float32())})
    found = typicality_and_errors(table, scores)
    assert found["meta_learner"] == {
        "auc": 0.0,
        "quintiles": [
            {"low": 0.25, "high": 0.25, "texts": 1, "accuracy": 1.0},
            {"low": 0.5, "high": 0.5, "texts": 1, "accuracy": 0.0},
        ],
    }
    # "d" has no score; what is left is all right.
    assert found["fine_tuned"]["auc"] is None
    assert [part["texts"] for part in found["fine_tuned"]["quintiles"]] == [1]
    assert typicality_and_errors(table, scores.slice(2)) is None


def test_wrong_labels_found_worked_by_hand():
    flipped = np.array([True, False, False, True, False])
    found = wrong_labels_found(
        flipped, {"good": np.array([5.0, 1, 2, 4, 3]), "bad": np.array([1.0, 5, 4, 3, 2])}
    )
    assert (found["texts"], found["flipped"]) == (5, 2)
    assert found["rankings"]["good"] == {"precision": 1.0, "auc": 1.0}
    # The two most suspected are right; of the 6 pairs only (wrong 3, right 2) is in order.
    assert found["rankings"]["bad"] == {"precision": 0.0, "auc": pytest.approx(1 / 6)}


def test_no_wrong_label_gives_no_figures():
    assert wrong_labels_found(np.zeros(3, bool), {"any": np.arange(3.0)}) is None
