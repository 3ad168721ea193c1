"""A sweep's figures from a table of predictions, against numbers worked out by hand."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score

from easymft.errors import InputError
from easymft.report.sweep import PREDICTIONS, compared_with, sweep_figures


def predictions(*runs):
    """Predictions of runs `(variation, method, seed, {domain: (labels, predicted)})`."""
    rows = [
        {
            **{"variation": variation, "method": method, "seed": seed, "split": split},
            **{"id": f"{domain}-{split}-{i}", "domain": domain},
            **{"label": label, "predicted": predicted, "probability": 0.75},
        }
        for variation, method, seed, domains in runs
        for domain, answers in domains.items()
        # A development text, which is wrong, must not count.
        for split, split_answers in (("test", answers), ("dev", "xy"))
        for i, (label, predicted) in enumerate(zip(*split_answers, strict=True))
    ]
    return pa.Table.from_pylist(rows, PREDICTIONS)


RUNS = (
    ("all", "mix", 1, {"a": ("nnpp", "nnpp"), "b": ("nnpp", "nnnn")}),
    ("all", "mft", 1, {"a": ("nnpp", "npnp"), "b": ("nnpp", "nnpp")}),
    ("all", "mix", 2, {"a": ("nnpp", "nnpp"), "b": ("nnpp", "nnpp")}),
    ("few", "mft", 1, {"a": ("np", "np")}),
)


def test_a_variation_may_be_compared_with_methods_of_another():
    runs = (*RUNS[:3], ("other", "mft", 1, {"a": ("nnpp", "npnp"), "b": ("nnpp", "nnpp")}))
    table = sweep_figures(predictions(*runs), ["mix"], compare_in={"other": "all"})
    (mft,) = table["other"]
    # 2/4 and 4/4 against 4/4 and 2/4.
    assert mft.differences["BERT (Mix)"][0] == 0
    assert sweep_figures(predictions(*runs), ["mix"])["other"][0].differences == {}


def test_a_variation_may_be_compared_with_its_own_method_in_others():
    runs = (
        ("one", "mft", 1, {"a": ("nnpp", "npnp")}),  # 2 of 4
        ("two", "mft", 1, {"a": ("nnpp", "nnpn")}),  # 3 of 4
        ("three", "mft", 1, {"a": ("nnpp", "nnpp")}),  # all
    )
    (mft,) = sweep_figures(predictions(*runs), ["mft"], compare_in={"three": ["one", "two"]})[
        "three"
    ]
    found = {title: difference[0] for title, difference in mft.differences.items()}
    assert found == {"MFT (Full), one": 0.5, "MFT (Full), two": 0.25}


def test_means_and_errors_over_seeds():
    mix, mft = sweep_figures(predictions(*RUNS), ["mix"])["all"]
    assert (mix.title, mft.title) == ("BERT (Mix)", "MFT (Full)")
    # Under seed 1, 4/4 and 2/4; under seed 2, all: 0.75 and 1, deviations 1/8, error 1/8.
    assert mix.seeds == {1: 0.75, 2: 1.0}
    assert mix.average == (0.875, pytest.approx(0.125))
    assert mix.domains == {"a": (1.0, 0.0), "b": (0.75, pytest.approx(0.25))}
    assert mft.average == (0.75, None)
    assert mft.domains == {"a": (0.5, None), "b": (1.0, None)}


def test_worst_domain_and_macro_f1():
    mix, mft = sweep_figures(predictions(*RUNS), [])["all"]
    assert mix.others["worst domain"] == (0.75, pytest.approx(0.25))
    assert mft.others["worst domain"] == (0.5, None)
    # mix in b under seed 1: n has precision 1/2 and recall 1, F1 2/3; p has 0. Mean 1/3; with a,
    # 2/3; under seed 2, 1.
    assert mix.others["macro-F1"] == (pytest.approx(5 / 6), pytest.approx(1 / 6))
    assert mft.others["macro-F1"] == (pytest.approx(0.75), None)


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_occur():
    # 3 of 4 n and 0 of 1 p; a class that is only predicted has no recall.
    run = ("all", "mix", 1, {"a": ("nnnnp", "nnnqn"), "b": ("nn", "nn")})
    (mix,) = sweep_figures(predictions(run), [])["all"]
    assert mix.others["balanced accuracy"] == (pytest.approx((0.375 + 1) / 2), None)


def test_differences_are_those_under_shared_seeds():
    mix, mft = sweep_figures(predictions(*RUNS), ["mix", "single"])["all"]
    assert mix.differences == {}
    # Under seed 1: a -1/2, b +1/2.
    (difference,) = mft.differences.values()
    assert difference[0] == 0
    assert difference[1] < 0 < difference[2]
    assert sweep_figures(predictions(*RUNS[1:3]), ["mix"])["all"][0].differences == {}


def test_methods_compared_with_keep_the_order_asked_for():
    answers = {"a": ("np", "pp")}
    runs = [("all", name, 1, answers) for name in ("mix", "single", "adv", "mft")]
    methods = sweep_figures(predictions(*runs), ["adv", "single", "mix", "mtl"])["all"]
    assert compared_with(methods) == ["BERT (Adv)", "BERT (S)", "BERT (Mix)"]
    assert compared_with([]) == []


def test_variations_stand_apart():
    tables = sweep_figures(predictions(*RUNS), ["mix"])
    assert list(tables) == ["all", "few"]
    assert tables["few"][0].average == (1.0, None)
    assert sweep_figures(predictions(), ["mix"]) == {}


def test_folds_are_tested_on_other_texts():
    folds = [
        ("all", method, seed, {f"fold {seed}": ("np", right)})
        for seed in (1, 2)
        for method, right in (("mix", "nn"), ("mft", "np"))
    ]
    mix, mft = sweep_figures(predictions(*folds), ["mix"])["all"]
    assert mix.domains == {"fold 1": (0.5, None), "fold 2": (0.5, None)}
    assert mft.seeds == {1: 1.0, 2: 1.0}
    assert mft.differences["BERT (Mix)"][0] == 0.5


def test_methods_tested_on_other_texts_are_refused():
    other = ("all", "mft", 2, {"a": ("nn", "nn"), "b": ("nnpp", "nnpp")})
    with pytest.raises(InputError, match="variation all: `mft` and `mix` were not tested on the"):
        sweep_figures(predictions(*RUNS, other), ["mix"])


def test_results_give_what_predictions_do_not_tell():
    def row(method, **figures):
        named = {"variation": "all", "method": method, "split": "test", "domain": None}
        return {**named, "is_method": True, **figures}

    results = [
        row("mix", domain_probe=0.1),
        row("mix", domain_probe=0.3),
        row("mix", domain_probe=0.9, split="dev"),
        row("mix", domain_probe=0.9, is_method=False),
        row("mix", domain_probe=0.9, domain="a"),
        row("mft", domain_probe=0.9),
        row("mft", domain_probe=None),
    ]
    mix, mft = sweep_figures(predictions(*RUNS), ["mix"], results)["all"]
    assert mix.others["domain probe"] == (pytest.approx(0.2), pytest.approx(0.1))
    assert "domain probe" not in mft.others  # not every run has it


def test_calibration_error_is_averaged_over_domains_and_seeds():
    mix, mft = sweep_figures(predictions(*RUNS), [])["all"]
    # All answers are 75 % sure. Under seed 1 mix is right in all of a and half of b: both are off
    # by 1/4; under seed 2 it is always right.
    assert mix.others["calibration error"] == (pytest.approx(0.25), pytest.approx(0))
    assert mft.others["calibration error"] == (pytest.approx(0.25), None)


def test_macro_f1_is_scikit_learns():
    random = np.random.default_rng(0)
    answers = {
        seed: {domain: ["".join(random.choice(list("abcd"), 30)) for _ in "tp"] for domain in "xy"}
        for seed in (1, 2, 3)
    }
    answers[2]["x"] = ("a" * 9, "a" * 8 + "c")  # classes that are only predicted, or nowhere
    runs = [("all", "mix", seed, domains) for seed, domains in answers.items()]
    (mix,) = sweep_figures(predictions(*runs), [])["all"]
    expected = [
        np.mean([f1_score(*map(list, pair), average="macro") for pair in domains.values()])
        for domains in answers.values()
    ]
    assert mix.others["macro-F1"][0] == pytest.approx(np.mean(expected))


def test_methods_keep_their_order():
    runs = [("all", name, 1, {"a": ("np", "pp")}) for name in ("mtl", "a tool", "adv")]
    titles = [method.title for method in sweep_figures(predictions(*runs), [])["all"]]
    assert titles == ["BERT (MTL)", "a tool", "BERT (Adv)"]
