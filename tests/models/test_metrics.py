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


@pytest.mark.parametrize("form", [np.asarray, lambda y: np.asarray(y)[:, None]])
def test_texts_without_a_label_or_a_domain_are_left_out(form):
    # Domain 0: one of two right; domain 1: its one text right. All others count nowhere: labels
    # -1 and 2 of two classes, domains -1 and 2 of two.
    labels, guesses = [0, 1, 1, -1, 2, 1, 0], [0, 0, 1, 1, 0, 1, 1]
    domains = [0, 0, 1, 1, 0, -1, 2]
    metric = DomainMetrics(num_domains=2, num_classes=2)
    metric.update_state(form(labels), logits_of(guesses, 2), form(domains))
    result = numbers(metric)
    assert (result["accuracy_domain_0"], result["accuracy_domain_1"]) == (0.5, 1.0)
    assert result["worst_domain_accuracy"] == 0.5
    # Domain 0: class 0 has one hit, one taken for it wrongly: 2/3; class 1 has none.
    assert result["macro_f1_domain_0"] == pytest.approx((2 / 3 + 0) / 2)
    assert result["macro_f1_domain_1"] == 1


@pytest.mark.parametrize("dtype", ["int32", "float32", "bool"])
def test_one_hot_labels_count_as_their_codes_and_empty_rows_not_at_all(dtype):
    codes, domains = np.array([0, 1, 2, 2, 1]), np.array([0, 0, 0, 1, 1])
    guesses = logits_of([0, 2, 2, 2, 0], 3)
    by_code, one_hot = (DomainMetrics(num_domains=2, num_classes=3) for _ in range(2))
    by_code.update_state(codes, guesses, domains)
    rows = np.concatenate([np.eye(3)[codes], np.zeros((1, 3))]).astype(dtype)
    one_hot.update_state(rows, np.concatenate([guesses, guesses[:1]]), np.append(domains, 0))
    assert numbers(one_hot) == numbers(by_code)
    assert numbers(one_hot)["accuracy_domain_0"] == pytest.approx(2 / 3)


def test_soft_labels_count_as_their_largest():
    metric = DomainMetrics(num_domains=1, num_classes=2)
    metric.update_state(np.array([[0.95, 0.05], [0.3, 0.7]]), logits_of([0, 0], 2), [0, 0])
    assert numbers(metric)["accuracy_domain_0"] == 0.5


@pytest.mark.parametrize("name", ["y_true", "domain"])
def test_labels_and_domains_of_another_shape_are_refused(name):
    arguments = {"y_true": np.zeros(2, int), "domain": np.zeros(2, int)}
    arguments[name] = np.zeros((2, 4), int)
    with pytest.raises(ValueError, match=rf"`{name}` must be of shape"):
        DomainMetrics(3, 2).update_state(y_pred=logits_of([0, 0], 2), **arguments)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match=r"`num_classes` must be at least 2 .* Received: 1"):
        DomainMetrics(num_domains=3, num_classes=1)


def test_many_domains_and_classes_keep_few_numbers():
    metric = DomainMetrics(num_domains=20, num_classes=500)
    metric.update_state(np.array([499]), logits_of([499], 500), np.array([19]))
    assert numbers(metric)["accuracy_domain_19"] == 1
    assert sum(np.prod(v.shape) for v in metric.variables) == 3 * 20 * 500


def test_config_round_trip():
    metric = DomainMetrics(num_domains=2, num_classes=5, name="by_domain")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert copy.get_config() == metric.get_config()
    assert (copy.num_domains, copy.num_classes, copy.name) == (2, 5, "by_domain")
