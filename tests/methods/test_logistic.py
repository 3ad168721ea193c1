import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from easymft.methods import logistic
from easymft.methods.balance import class_weights
from easymft.methods.logistic import Head, fit_domain_heads, fit_head
from easymft.methods.tfidf import TfidfClassifier

RNG = np.random.default_rng(0)


def answers(head, features):
    return softmax(features @ head.kernel + head.bias, axis=1)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_head_answers_as_scikit_learn_does(classes, monkeypatch):
    features, labels = RNG.normal(size=(60, 5)), np.arange(60) % classes
    features[:, 0] += labels
    monkeypatch.setattr(logistic, "STRENGTHS", (0.5,))
    head = fit_head(features, labels, labels, classes)
    expected = LogisticRegression(C=0.5, max_iter=1000).fit(features, labels)
    np.testing.assert_allclose(answers(head, features), expected.predict_proba(features), atol=1e-5)


def test_weights_count_as_scikit_learns_balanced_classes_do(monkeypatch):
    labels = np.array([0] * 40 + [1] * 15 + [2] * 5)
    features = RNG.normal(size=(60, 4)) + labels[:, None]
    monkeypatch.setattr(logistic, "STRENGTHS", (0.5,))
    expected = LogisticRegression(C=0.5, max_iter=1000, class_weight="balanced")
    expected = expected.fit(features, labels).predict_proba(features)
    head = fit_head(features, labels, labels, 3, class_weights(labels))
    np.testing.assert_allclose(answers(head, features), expected, atol=1e-5)
    # One domain without a part of its own is the same problem.
    monkeypatch.setattr(logistic, "FREEDOMS", (0.0,))
    (head,) = fit_domain_heads(features, labels, 0 * labels, 3, 1, class_weights(labels))
    np.testing.assert_allclose(answers(head, features), expected, atol=1e-3)


def test_the_strength_is_chosen_by_what_the_weights_count(monkeypatch):
    seen = []

    def log_loss(*arguments, sample_weight, **others):
        seen.append(sample_weight)
        return 0.0

    monkeypatch.setattr(logistic, "log_loss", log_loss)
    labels = np.array([0] * 20 + [1] * 5)
    fit_head(RNG.normal(size=(25, 2)), labels, labels, 2, class_weights(labels))
    # 25 / (2 * 20) and 25 / (2 * 5): four texts of the one and one of the other in each fold.
    assert all(sorted(weights) == [0.625] * 4 + [2.5] for weights in seen)


@pytest.mark.long
def test_noise_calls_for_a_strong_penalty_and_a_clear_class_for_a_weak_one():
    labels = np.arange(80) % 2
    noise = fit_head(RNG.normal(size=(80, 30)), labels, labels, 2)
    clear = fit_head(10 * np.eye(2)[labels], labels, labels, 2)
    assert np.abs(noise.kernel).max() < 0.1
    assert answers(clear, 10 * np.eye(2))[0, 0] > 0.99


def test_of_many_texts_some_choose_the_strength_and_all_are_learned_from(monkeypatch):
    seen = []
    fitted = logistic._fitted

    def count(features, labels, weights, strength):
        seen.append(len(labels))
        return fitted(features, labels, weights, strength)

    monkeypatch.setattr(logistic, "_fitted", count)
    monkeypatch.setattr(logistic, "_MOST", 50)
    labels = np.arange(300) % 2
    fit_head(RNG.normal(size=(300, 2)), labels, labels, 2, np.ones(300))
    assert set(seen[:-1]) == {40}  # four folds of five
    assert seen[-1] == 300


def test_a_class_without_texts_never_wins_and_one_class_alone_always_does():
    features = RNG.normal(size=(20, 3))
    head = fit_head(features, np.arange(20) % 2 * 2, np.zeros(20, int), 3)
    assert answers(head, 100 * features)[:, 1].max() == 0
    alone = fit_head(features, np.ones(20, int), np.zeros(20, int), 3)
    np.testing.assert_array_equal(answers(alone, features), [[0, 1, 0]] * 20)


@pytest.mark.long
def test_domains_that_disagree_get_heads_that_disagree_and_a_stranger_the_shared_one():
    signal, other = RNG.normal(size=(2, 240))
    domains = np.arange(240) % 2
    # In domain 0 a positive first feature means class 1, in domain 1 class 0; the second feature
    # means the same in both.
    labels = ((np.where(domains == 0, signal, -signal) + other) > 0).astype(int)
    features = np.stack([signal, other], axis=1)
    heads = fit_domain_heads(features, labels, domains, 2, 3)
    first = [head.kernel[0, 1] - head.kernel[0, 0] for head in heads]
    second = [head.kernel[1, 1] - head.kernel[1, 0] for head in heads]
    assert first[0] > 0.5
    assert first[1] < -0.5
    assert 2 * abs(first[2]) < min(first[0], -first[1], second[2])
    assert min(second) > 0
    for code in (0, 1):
        guessed = answers(heads[code], features[domains == code]).argmax(axis=1)
        assert (guessed == labels[domains == code]).mean() > 0.9


def test_a_standardized_head_answers_alike_on_raw_features():
    raw = RNG.normal(size=(30, 4)) * [1, 10, 0.1, 0] + [5, 0, 0, 3]  # the last never varies
    features, mean, deviation = logistic.standardized(raw)
    np.testing.assert_allclose(features[:, :3].std(axis=0), 1)
    head = Head(RNG.normal(size=(4, 3)), RNG.normal(size=3))
    same = logistic.unstandardized(head, mean, deviation)
    np.testing.assert_allclose(answers(same, raw), answers(head, features), atol=1e-4)


TEXTS = [["a gripping plot", "dull prose", "the battery lasts", "it broke at once"] * 3]
LABELS = np.array([1, 0, 1, 0] * 3)


@pytest.mark.long
def test_tfidf_learns_words_and_forgets_nothing_on_disk(tmp_path):
    model = TfidfClassifier(2).fit(TEXTS, LABELS, LABELS)
    probabilities = model.predict_proba(TEXTS)
    assert probabilities.dtype == np.float32
    np.testing.assert_array_equal(probabilities.argmax(axis=1), LABELS)
    model.save(tmp_path / "model.npz")
    copy = TfidfClassifier.load(tmp_path / "model.npz")
    new = [["gripping and dull", "", "电池很好", "it lasts"]]
    np.testing.assert_allclose(copy.predict_proba(new), model.predict_proba(new), atol=1e-6)


def test_tfidf_keeps_the_columns_of_a_pair_apart():
    first, second = ["yes", "no"] * 6, ["no", "yes"] * 6
    model = TfidfClassifier(2, 2).fit([first, second], LABELS, LABELS)
    assert model.predict_proba([["yes"], ["no"]]).argmax() == 1
    assert model.predict_proba([["no"], ["yes"]]).argmax() == 0
