"""What a dry run counts and estimates, against numbers worked out by hand."""

import json

import pytest

from easymft.config.loading import load_config
from easymft.runs.plan import plan
from easymft.runs.run import Run
from tests.small_run import write_recipe

# Texts of each of the three domains: 6 train, 4 dev, 4 test.
SPLIT = {"kind": "seeded", "dev": 4, "test": 4, "seed": 1, "few_shot": {"per_class": 3}}


@pytest.mark.parametrize(
    ("method", "validation_freq", "predicted"),
    [
        # Both phases' models predict 12 dev and 12 test texts; 18 texts have a typicality, and
        # the curves look at 12 dev texts after each of 2 + 1 epochs.
        ("mft", 1, 2 * 24 + 18 + 3 * 12),
        ("mft", 2, 2 * 24 + 18 + 12),
        # One phase of three epochs.
        ("mix", 1, 24 + 3 * 12),
        ("single", 0, 24),
    ],
)
def test_a_plan_counts_what_is_seen_and_predicted(tmp_path, method, validation_freq, predicted):
    path = write_recipe(tmp_path)
    settings = [
        f"method={method}",
        f"data.split={json.dumps(SPLIT)}",
        f"meta_fine_tune.validation_freq={validation_freq}",
        f"fine_tune.validation_freq={validation_freq}",
    ]
    planned = plan(Run(load_config(path, settings)), text_seconds=0.5)
    assert planned.texts_seen == 18 * 3
    assert planned.texts_predicted == predicted
    # A step takes three times what its predictions do.
    assert planned.minutes == pytest.approx((3 * 54 + predicted) * 0.5 / 60)


def test_a_plan_counts_self_training_and_its_gate(tmp_path):
    few_shot = {"per_class": 3, "rest": "unlabeled"}
    settings = [
        "method=mix_self",
        f"data.split={json.dumps({**SPLIT, 'few_shot': few_shot})}",
        "meta_fine_tune.validation_freq=0",
    ]
    planned = plan(Run(load_config(write_recipe(tmp_path), settings)), text_seconds=0.5)
    # Of 24 texts of each domain 10 stay without labels. A round sees 3 x 18 labelled texts and half
    # of the 30 others, twice; the gate does it and the phase of 3 epochs before it once per fold.
    assert planned.texts_seen == 18 * 3 + 2 * (54 + 15) + 2 * (18 * 3 + 2 * (54 + 15))
    assert planned.texts_predicted == 24 + 3 * (30 + 18)
