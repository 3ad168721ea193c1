import numpy as np
import pytest
import tensorflow as tf

from easymft.export.combined import DomainModels
from tests.export.conftest import DOMAINS, expected

TEXTS = ["good", "the bad cafe", "good", "bad !", "the", "good cafe"]


@pytest.fixture(scope="module")
def combined(export_folder):
    model = tf.saved_model.load(str(export_folder / "combined" / "1"))
    return model.signatures["serving_default"], model


@pytest.mark.long
def test_each_row_is_answered_by_its_domain(combined, models, preprocessor):
    predict, _ = combined
    domains = ["dvd & co", "books", "", "music", "no such domain", "books"]
    meant = ["dvd & co", "books", *["meta-learner"] * 3, "books"]
    answer = predict(text=tf.constant(TEXTS), domain=tf.constant(domains))["probabilities"]
    for row, name in enumerate(meant):
        probabilities = expected(models[name], preprocessor, [TEXTS[row]])[0]
        np.testing.assert_allclose(answer[row], probabilities, atol=1e-5)


@pytest.mark.long
def test_names_are_taken_exactly_but_for_space_around_them(combined):
    predict, _ = combined
    answer = predict(text=tf.fill([3], "good"), domain=tf.constant(["books", "Books", " books"]))
    books, other, spaced = answer["probabilities"].numpy()
    assert np.abs(books - other).max() > 1e-3
    np.testing.assert_array_equal(spaced, books)


def test_a_domain_alone_and_no_row_at_all(combined):
    predict, _ = combined
    for domains in (["books"], ["", ""], []):
        texts = tf.fill([len(domains)], "good")
        answer = predict(text=texts, domain=tf.constant(domains, tf.string))
        assert answer["probabilities"].shape == (len(domains), 3)


@pytest.mark.long
@pytest.mark.parametrize("signature", ["serving_default", "embed"])
@pytest.mark.parametrize(
    ("texts", "domains"),
    [
        (["good", "bad"], ["books"]),
        (["good", "bad"], []),
        ([], ["books"]),
        (["good"], ["books", "books"]),
        ([["good"]], ["books"]),
        (["good"], [["books"]]),
        ([["good", "bad"]], [["books", "books"]]),
        ("good", "books"),
    ],
)
def test_no_text_is_lost_where_inputs_do_not_fit(combined, signature, texts, domains):
    answer = combined[1].signatures[signature]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"the same length|expected shape"):
        answer(text=tf.constant(texts, tf.string), domain=tf.constant(domains, tf.string))


@pytest.mark.long
def test_inputs_that_do_not_fit_are_refused_by_a_session_as_servers_run_it(export_folder):
    folder = str(export_folder / "combined" / "1")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signature = tf.compat.v1.saved_model.load(session, ["serve"], folder).signature_def
        names = {name: info.name for name, info in signature["serving_default"].inputs.items()}
        wanted = signature["serving_default"].outputs["label"].name
        texts = [b"good", b"bad"]
        both = {names["text"]: texts, names["domain"]: [b"books", b""]}
        assert len(session.run(wanted, both)) == 2
        with pytest.raises(tf.errors.InvalidArgumentError, match="`domain` and `text` must have"):
            session.run(wanted, {names["text"]: texts, names["domain"]: [b"books"]})


@pytest.mark.long
def test_models_without_rows_do_not_run(models):
    ran = []

    class Spy:
        num_classes = 3
        backbone = models["books"].backbone

        def __init__(self, name):
            self.name = name

        def embed(self, inputs, training):
            ids = inputs["token_ids"]
            note = tf.numpy_function(
                lambda x: ran.append((self.name, len(x))) or x, [ids], tf.int32
            )
            return tf.zeros([tf.shape(note)[0], 3])

        def logits_of(self, embedding, inputs):
            return embedding

    spies = {name: Spy(name) for name in ("meta-learner", "books", "music")}
    answers = DomainModels(spies, DOMAINS)
    tokens = {"token_ids": tf.zeros([4, 8], tf.int32)}
    tf.function(answers.probabilities)(tokens, tf.constant([0, 0, 1, 0]))
    assert sorted(ran) == [("books", 3), ("meta-learner", 1)]


def test_embeds_by_domain(combined, models, preprocessor):
    embed = combined[1].signatures["embed"]
    answer = embed(text=tf.constant(["good", "good"]), domain=tf.constant(["books", ""]))
    for row, name in enumerate(("books", "meta-learner")):
        vector = models[name].embed(preprocessor(x=["good"]), training=False)[0]
        np.testing.assert_allclose(answer["embedding"][row], vector, atol=1e-5)


@pytest.mark.long
def test_without_a_meta_learner_the_mean_of_all_answers(models, preprocessor):
    own = {name: models[name] for name in DOMAINS[:2]}
    tokens = preprocessor(x=["good", "good", "bad"])
    answer = DomainModels(own, DOMAINS).probabilities(tokens, tf.constant([0, 3, 2]))
    books, dvd = (expected(own[name], preprocessor, ["good", "good", "bad"]) for name in own)
    np.testing.assert_allclose(answer[0], books[0], atol=1e-5)
    np.testing.assert_allclose(answer[1:], (books[1:] + dvd[1:]) / 2, atol=1e-5)


@pytest.mark.long
def test_multi_task_heads(multi_task_model, preprocessor):
    texts = ["good", "the bad cafe", "good", "bad"]
    answers = DomainModels({"meta-learner": multi_task_model}, DOMAINS)
    answer = answers.probabilities(preprocessor(x=texts), tf.constant([0, 1, 2, 3]))
    heads = [expected(multi_task_model, preprocessor, texts, domain=d) for d in range(3)]
    for row in range(3):
        np.testing.assert_allclose(answer[row], heads[row][row], atol=1e-5)
    np.testing.assert_allclose(answer[3], np.mean(heads, axis=0)[3], atol=1e-5)


def test_multi_task_heads_must_have_names(multi_task_model):
    with pytest.raises(ValueError, match="2 names for 3 heads"):
        DomainModels({"meta-learner": multi_task_model}, DOMAINS[:2])
