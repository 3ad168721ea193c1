import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from easymft.models import DomainMetrics


def logits_of(guesses, num_classes):
    """Logits whose largest is the guess, by a margin that differs from text to text."""
    guesses = np.asarray(guesses)
    margin = 1.0 + np.arange(len(guesses), dtype="float32")[:, None]
    return np.eye(num_classes, dtype="float32")[guesses] * margin - 2.0


def numbers(metric):
    return {name: float(value) for name, value in metric.result().items()}


def test_numbers_worked_out_by_hand():
    # Domain 0: class 0 right twice, class 1 once right and once taken for 0.
    # Domain 1: one text, taken for the other class. Domain 2: no text.
    metric = DomainMetrics(num_domains=3, num_classes=2)
    metric.update_state(
        np.array([0, 0, 1, 1, 0]), logits_of([0, 0, 1, 0, 1], 2), np.array([0, 0, 0, 0, 1])
    )
    assert numbers(metric) == pytest.approx(
        {
            "accuracy_domain_0": 3 / 4,
            "accuracy_domain_1": 0,
            "accuracy_domain_2": 0,
            "macro_f1_domain_0": (4 / 5 + 2 / 3) / 2,
            "macro_f1_domain_1": 0,
            "macro_f1_domain_2": 0,
            "average_accuracy": 3 / 8,
            "average_macro_f1": (4 / 5 + 2 / 3) / 4,
            "worst_domain_accuracy": 0,
        }
    )


def test_empty_domain_is_neither_averaged_nor_the_worst():
    metric = DomainMetrics(num_domains=3, num_classes=2)
    metric.update_state(np.array([0, 1, 1, 1]), logits_of([0, 1, 1, 0], 2), [0, 0, 2, 2])
    result = numbers(metric)
    assert result["average_accuracy"] == pytest.approx((1 + 1 / 2) / 2)
    assert result["worst_domain_accuracy"] == pytest.approx(1 / 2)
    assert result["accuracy_domain_1"] == result["macro_f1_domain_1"] == 0


def test_absent_class_is_left_out_of_macro_f1_unless_predicted():
    metric = DomainMetrics(num_domains=2, num_classes=3)
    # Class 2 is nowhere in domain 0; in domain 1 it is only predicted: an F1 of 0 that counts.
    metric.update_state(
        np.array([0, 1, 0, 1, 1]), logits_of([0, 1, 0, 1, 2], 3), np.array([0, 0, 1, 1, 1])
    )
    result = numbers(metric)
    assert result["macro_f1_domain_0"] == pytest.approx(1)
    assert result["macro_f1_domain_1"] == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_agrees_with_scikit_learn_over_several_batches():
    random = np.random.default_rng(0)
    labels, guesses = random.integers(0, 4, (2, 60))
    domains = random.choice([0, 1, 3], 60)  # domain 2 stays empty
    labels[domains == 1] %= 3
    guesses[domains == 1] %= 3  # class 3 is absent from domain 1
    metric = DomainMetrics(num_domains=4, num_classes=4)
    for rows in np.split(np.arange(60), 3):
        metric.update_state(labels[rows], logits_of(guesses[rows], 4), domains[rows])
    result = numbers(metric)
    accuracies, macro_f1s = [], []
    for k in (0, 1, 3):
        mine = domains == k
        accuracies.append(accuracy_score(labels[mine], guesses[mine]))
        macro_f1s.append(f1_score(labels[mine], guesses[mine], average="macro"))
        assert result[f"accuracy_domain_{k}"] == pytest.approx(accuracies[-1])
        assert result[f"macro_f1_domain_{k}"] == pytest.approx(macro_f1s[-1])
    assert result["average_accuracy"] == pytest.approx(np.mean(accuracies))
    assert result["average_macro_f1"] == pytest.approx(np.mean(macro_f1s))
    assert result["worst_domain_accuracy"] == pytest.approx(min(accuracies))


def test_nothing_counted_gives_zeros_and_reset_forgets():
    metric = DomainMetrics(num_domains=2, num_classes=2)
    nothing = numbers(metric)
    assert set(nothing.values()) == {0.0}
    metric.update_state(np.array([[1]]), logits_of([1], 2), np.array([[0]]))  # columns do too
    assert numbers(metric)["average_accuracy"] == 1
    metric.reset_state()
    assert numbers(metric) == nothing


def test_config_round_trip():
    metric = DomainMetrics(num_domains=2, num_classes=5, name="by_domain")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert copy.get_config() == metric.get_config()
    assert (copy.num_domains, copy.num_classes, copy.name) == (2, 5, "by_domain")
