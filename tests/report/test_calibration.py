"""The curve of accuracy by confidence, against counts made by hand."""

import pyarrow as pa
import pytest

from easymft.report.sections.calibration import calibration

COLUMNS = ("model", "split", "label", "predicted", "probabilities")


def predictions(*rows):
    return pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in rows])


def label(section):
    (panel,) = section.panels
    return panel.svg.split('aria-label="')[1].split('"')[0]


def test_accuracy_is_that_of_equally_sure_answers():
    rows = [
        # 60 to 70 % sure: 62 and 68 on average 65, one of two right. 90 to 100 %: 96, all right.
        ("meta_learner", "test", "a", "a", [0.62, 0.38]),
        ("meta_learner", "test", "a", "b", [0.32, 0.68]),
        ("meta_learner", "test", "b", "b", [0.04, 0.96]),
        # Rounded above 1; a development text; what is no number.
        ("fine_tuned", "test", "a", "a", [1.0000001, 0.0]),
        ("fine_tuned", "dev", "a", "b", [0.1, 0.9]),
        ("fine_tuned", "test", "a", "b", [float("nan"), float("nan")]),
    ]
    assert label(calibration({}, predictions(*rows))) == (
        "Accuracy by confidence. one model for all: 50 at confidence 65 to 100 at confidence 96; "
        "one per domain: 100 at confidence 100"
    )


@pytest.mark.parametrize("right", [True, False])
def test_models_that_are_always_or_never_right(right):
    rows = [("meta_learner", "test", "a", "a" if right else "b", [0.75, 0.25])] * 3
    words = label(calibration({}, predictions(*rows)))
    assert words.endswith(f"one model for all: {100 if right else 0} at confidence 75")


def test_nothing_to_show():
    rows = [("meta_learner", "dev", "a", "a", [0.75, 0.25])]
    assert not calibration({}, predictions(*rows)).panels
    assert not calibration({}, None).panels
