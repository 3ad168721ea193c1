import numpy as np
from keras import ops
from scipy.special import softmax

from easymft.models.answer_rules import AnswerRules

LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.4, 3.0], [-1.0, 5.0, 0.0]], "float32")
RULES = AnswerRules(
    ("books", "dvd"), np.array([2.0, 1.0, 0.5], "float32"), np.array([0.5, 0.9, np.inf], "float32")
)
CODES = np.array([0, 1, 2])


def test_logits_are_divided_by_the_temperature_of_their_domain():
    found = RULES.calibrated(softmax(LOGITS, axis=1), CODES)
    expected = softmax(LOGITS / np.array([[2.0], [1.0], [0.5]]), axis=1)
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-6)


def test_a_class_that_is_out_of_reach_stays_so():
    found = RULES.calibrated(np.array([[0.7, 0.3, 0.0]], "float32"), np.array([0]))
    roots = np.sqrt([0.7, 0.3, 0.0])
    np.testing.assert_allclose(ops.convert_to_numpy(found), [roots / roots.sum()], atol=1e-6)


def test_abstains_below_the_threshold_and_always_where_it_is_infinite():
    scores = np.array([0.5, 0.89, 1.0], "float32")
    assert ops.convert_to_numpy(RULES.abstains(scores, CODES)).tolist() == [False, True, True]


def test_without_rules_probabilities_are_the_very_same_and_all_is_answered():
    rules, given = AnswerRules.none(["books"]), softmax(LOGITS, axis=1)
    assert rules.calibrated(given, CODES % 2) is given
    assert not ops.convert_to_numpy(rules.abstains(np.zeros(3, "float32"), CODES % 2)).any()


def test_rules_of_other_domains_in_another_order():
    other = AnswerRules((), np.array([3.0], "float32"), np.array([0.25], "float32"))
    found = RULES.of_domains(["dvd", "new", "books"])
    assert found.domains == ("dvd", "new", "books")
    assert found.temperatures.tolist() == [1.0, 0.5, 2.0, 0.5]
    assert found.thresholds.tolist() == [np.float32(0.9), np.inf, 0.5, np.inf]
    found = RULES.of_domains(["dvd", "new"], unknown=other)
    assert found.temperatures.tolist() == [1.0, 3.0, 3.0]
    assert found.thresholds.tolist() == [np.float32(0.9), 0.25, 0.25]


def test_facts_and_plain_values():
    rows = [{"temperature": t, "threshold": v} for t, v in ((2.0, 0.5), (1.0, 0.75), (0.5, None))]
    facts = {"domains": {"books": rows[0], "dvd": rows[1]}, "unknown": rows[2]}
    assert AnswerRules.of_facts(facts).to_dict() == {
        "domains": ["books", "dvd"],
        "temperatures": [2.0, 1.0, 0.5],
        "thresholds": [0.5, 0.75, None],
    }
