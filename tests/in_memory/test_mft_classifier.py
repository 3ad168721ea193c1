"""`MFTClassifier` as a user of scikit-learn meets it; its estimator checks have their own file."""

import copy
import io
import pickle
import random
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from easymft import MFTClassifier, typicality_scores
from easymft.errors import InputError
from easymft.export.text_input import tokenize
from easymft.in_memory import mft_classifier
from easymft.methods import answers, phases
from easymft.models.answer_rules import find_rules

DOMAINS = ("books", "films", "tools")
WORDS = ("good", "good good", "the", "cafe")
X = [(f"{words} {domain[0]}", domain) for domain in DOMAINS for words in WORDS]
Y = np.array(["yes", "yes", "no", "no"] * 3)
TEXTS = [text for text, _ in X]
SETTINGS = {"precision": "float32", "dropout": 0.0}


@pytest.fixture(scope="module")
def new(preset):
    """Make a classifier on the tiny encoder."""

    def make(**parameters):
        tiny = {"preset": preset, "max_length": 8, "epochs": 2, "batch_size": 12}
        tiny |= {"learning_rate": 0.05, "random_state": 1, "settings": SETTINGS}
        return MFTClassifier(**{**tiny, **parameters})

    return make


@pytest.fixture(scope="module")
def fitted(new):
    return new(epochs=10, fine_tune_epochs=8).fit(X, Y)


@pytest.fixture(scope="module")
def young(new):
    """Trained too little to be sure of anything."""
    return new().fit(X, Y)


@pytest.mark.long
def test_it_learns_what_is_plain_to_see(fitted):
    assert fitted.score(X, Y) == 1
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert fitted.domains_.tolist() == list(DOMAINS)
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (12, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (fitted.classes_[probabilities.argmax(axis=1)] == fitted.predict(X)).all()


@pytest.mark.long
def test_it_draws_bars_only_when_asked(fitted, monkeypatch):
    drawn = []
    for verbose in (0, 1):
        stderr = io.StringIO()
        stderr.isatty = lambda: True
        monkeypatch.setattr("sys.stderr", stderr)
        monkeypatch.setattr(fitted, "verbose", verbose)
        fitted.predict(X)
        drawn.append("predict" in stderr.getvalue())
    assert drawn == [False, True]


def test_the_phases_are_those_of_the_method(fitted, preset):
    assert list(fitted.history_) == ["meta fine-tuning", *(f"fine-tuning {d}" for d in DOMAINS)]
    # 12 texts in one batch, 10 times; then each domain's 4 texts, 8 times.
    steps = [history[-1]["step"] for history in fitted.history_.values()]
    assert steps == [10, 8, 8, 8]
    domains = [domain for _, domain in X]
    expected = typicality_scores(
        TEXTS, Y, domains, preset=preset, max_length=8, precision="float32"
    )
    np.testing.assert_allclose(fitted.typicality_, expected, atol=1e-6)


@pytest.mark.long
def test_each_domain_has_a_copy_and_other_texts_the_meta_learner(young):
    names = [*DOMAINS, "garden"]
    by_domain = {name: young.predict_proba([(text, name) for text in TEXTS]) for name in names}
    for one, other in (("books", "films"), ("films", "tools"), ("tools", "garden")):
        assert np.abs(by_domain[one] - by_domain[other]).max() > 1e-4
    for missing in (None, float("nan"), pd.NA, ""):
        rows = [(text, missing) for text in TEXTS]
        np.testing.assert_array_equal(young.predict_proba(rows), by_domain["garden"])
    np.testing.assert_array_equal(young.predict_proba(TEXTS), by_domain["garden"])
    # The copies stand in their rows when domains are mixed.
    mixed = young.predict_proba([(text, names[i % 4]) for i, text in enumerate(TEXTS)])
    for i in range(len(TEXTS)):
        np.testing.assert_allclose(mixed[i], by_domain[names[i % 4]][i], atol=1e-6)


CODES = [DOMAINS.index(domain) for _, domain in X]


@pytest.fixture(scope="module")
def numbered(new):
    return new(method="mix_then_fine_tune").fit(list(zip(TEXTS, CODES, strict=True)), Y == "yes")


@pytest.mark.long
def test_numbers_name_domains_and_classes(numbered):
    assert numbered.domains_.tolist() == ["0", "1", "2"]
    assert numbered.classes_.tolist() == [False, True]
    assert numbered.typicality_ is None


@pytest.mark.long
def test_a_domain_of_fit_is_found_whatever_type_has_its_name(numbered):
    expected = numbered.predict_proba(list(zip(TEXTS, CODES, strict=True)))
    assert np.abs(expected - numbered.predict_proba(TEXTS)).max() > 1e-4
    codes = np.array(CODES)
    for shape in (
        list(zip(TEXTS, codes, strict=True)),
        np.array([TEXTS, CODES]).T,
        pd.DataFrame({"text": TEXTS, "Domain": pd.Series(codes, dtype="Int64")}),
        {"text": np.array(TEXTS), "domain": codes.astype(np.float32)},
    ):
        np.testing.assert_array_equal(numbered.predict_proba(shape), expected)


@pytest.mark.long
def test_without_domains_there_is_the_meta_learner_alone(new):
    classifier = new(fine_tune_epochs=3).fit(TEXTS, Y)
    assert classifier.domains_.tolist() == []
    # Epochs of both phases: 2 + 3 passes of one step.
    assert [history[-1]["step"] for history in classifier.history_.values()] == [5]
    np.testing.assert_array_equal(classifier.predict_proba(X), classifier.predict_proba(TEXTS))


@pytest.mark.long
def test_pairs_of_texts_and_a_line_a_phase(new, capsys):
    frame = pd.DataFrame({"text": TEXTS, "text_pair": TEXTS[::-1], "domain": [d for _, d in X]})
    classifier = new(verbose=1).fit(frame, Y)
    lines = capsys.readouterr().out.splitlines()
    phases = ["typicality", "meta fine-tuning", *(f"fine-tuning {d}" for d in DOMAINS)]
    assert [line.split(": ")[1] for line in lines] == phases
    swapped = frame.rename(columns={"text": "text_pair", "text_pair": "text"})
    difference = classifier.predict_proba(frame) - classifier.predict_proba(swapped)
    assert np.abs(difference).max() > 1e-4
    with pytest.raises(InputError, match="must hold pairs of texts, as in `fit`"):
        classifier.predict(X)


@pytest.mark.long
def test_a_seed_decides_everything_and_touches_nothing_else(new, young):
    random.seed(5)
    np.random.seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist()
    again, other = (new(random_state=seed).fit(X, Y) for seed in (1, 2))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    probabilities = young.predict_proba(X)
    np.testing.assert_array_equal(again.predict_proba(X), probabilities)
    assert np.abs(other.predict_proba(X) - probabilities).max() > 1e-4


@pytest.mark.long
def test_a_method_of_one_phase(new):
    classifier = new(method="adv").fit(X, Y)
    assert classifier.typicality_ is None
    assert classifier.domains_.tolist() == []
    assert set(classifier.predict(X)) <= set(Y)


@pytest.mark.long
def test_settings_reach_the_method(new):
    settings = {**SETTINGS, "mft.variant": "easytransfer", "meta_fine_tune.batch_size": 6}
    settings["mft.refresh_typicality"] = True
    classifier = new(settings=settings).fit(X, Y)
    with classifier.model_.holding(None) as model:
        assert model.embedding == "pooler"
    # Two passes of two batches of six texts.
    assert [entry["step"] for entry in classifier.history_["meta fine-tuning"]] == [2, 4]


@pytest.mark.long
@pytest.mark.parametrize("way", ["save", "pickle", "deepcopy"])
def test_a_copy_predicts_the_same(young, tmp_path, way):
    expected = young.predict_proba([*X, ("good", None)])
    if way == "save":
        young.save(tmp_path / "saved")
        other = MFTClassifier.load(tmp_path / "saved")
        assert other.get_params() == young.get_params()
        assert other.domains_.tolist() == young.domains_.tolist()
        assert other.classes_.dtype == young.classes_.dtype
        names = {path.name for path in (tmp_path / "saved").iterdir()}
        weights = {f"{number}-{domain}.weights.h5" for number, domain in enumerate(DOMAINS, 1)}
        models = {"meta-learner.keras", "preprocessor.keras"}
        assert names == {"classifier.json", *models, *weights}
        model = keras.saving.load_model(tmp_path / "saved/meta-learner.keras", compile=False)
        model.load_weights(tmp_path / "saved/2-films.weights.h5")
        with young.model_.holding("films") as own:
            for value, kept in zip(model.get_weights(), own.get_weights(), strict=True):
                np.testing.assert_array_equal(value, kept)
    else:
        other = pickle.loads(pickle.dumps(young)) if way == "pickle" else copy.deepcopy(young)  # noqa: S301
    np.testing.assert_allclose(other.predict_proba([*X, ("good", None)]), expected, atol=1e-7)
    assert other.predict(X).tolist() == young.predict(X).tolist()


@pytest.mark.long
def test_saving_replaces_a_saved_classifier_and_nothing_else(young, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds no saved classifier; name another"):
        young.save(tmp_path / "mine")
    with pytest.raises(InputError, match="is a file; name a folder"):
        young.save(tmp_path / "mine/thesis.txt")
    with pytest.raises(InputError, match="cannot be written"):
        young.save(tmp_path / "mine/thesis.txt/below")
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]
    for _ in range(2):
        young.save(tmp_path / "saved")
    (tmp_path / "saved/2-films.weights.h5").unlink()
    with pytest.raises(InputError, match="holds no whole saved classifier"):
        MFTClassifier.load(tmp_path / "saved")
    with pytest.raises(InputError, match="holds no whole saved classifier"):
        MFTClassifier.load(tmp_path / "mine")


@pytest.mark.long
def test_a_folder_may_be_empty_a_link_or_at_home(young, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in (f"{tmp_path}/empty/", tmp_path / "link", "~/new/deep"):
        young.save(name)
    for folder in ("empty", "elsewhere", "new/deep"):
        assert (tmp_path / folder / "classifier.json").is_file()
    assert len(list(tmp_path.iterdir())) == 4
    assert (tmp_path / "link").is_symlink()
    assert MFTClassifier.load("~/new/deep/").predict(X).tolist() == young.predict(X).tolist()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="is the folder you are in"):
        young.save(".")


@pytest.mark.long
def test_saves_at_the_same_time_leave_one_whole_classifier(young, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(young.save, [tmp_path / "saved"] * 2))
    assert MFTClassifier.load(tmp_path / "saved").predict(X).tolist() == young.predict(X).tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


@pytest.mark.long
def test_an_answer_is_that_of_an_exported_model_whatever_the_text(young):
    texts = [
        "",
        " ",
        "\t\n",
        "a\0b",
        "good",
        "good " * 200_000,
        "x" * 1_000_000,
        "caf\u00e9 \ud800",
    ]
    raw = tf.constant([text.encode("utf-8", "replace") for text in texts])
    with young.model_.holding(None) as model:
        # As in an exported graph, where tokenizers are others than in Python.
        tokens = tf.data.Dataset.from_tensors(raw).map(
            lambda t: tokenize(young.preprocessor_, (t,))
        )
        inputs = {**next(iter(tokens)), "domain": np.zeros(len(texts))}
        expected = keras.ops.softmax(model(inputs)["logits"])
    np.testing.assert_allclose(young.predict_proba(texts), expected, atol=1e-6)
    # So many that they are tokenized in a graph.
    many = young.predict_proba(texts[:5] * 100)
    np.testing.assert_allclose(many, np.tile(expected[:5], (100, 1)), atol=1e-6)


@pytest.mark.long
def test_threads_get_the_answers_that_they_would_get_alone(young):
    asked = [[(text, domain) for text in TEXTS] for domain in (*DOMAINS[:2], None)] * 2
    alone = [young.predict_proba(rows) for rows in asked]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(young.predict_proba, asked))
    np.testing.assert_array_equal(together, alone)


@pytest.mark.long
def test_an_interrupted_fit_leaves_nothing_to_predict_with(new, monkeypatch):
    classifier = new(epochs=1).fit(TEXTS, Y)

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(InputError):  # found before anything trains: the earlier fit stays
        classifier.fit(TEXTS, [*Y[:-1], None])
    assert len(classifier.predict(TEXTS)) == 12
    monkeypatch.setattr(mft_classifier, "train", interrupt)
    for interrupted in (classifier, new()):
        with pytest.raises(KeyboardInterrupt):
            interrupted.fit(TEXTS, Y)
        with pytest.raises(NotFittedError):
            interrupted.predict(TEXTS)
        with pytest.raises(NotFittedError):
            interrupted.save("nowhere")


@pytest.mark.slow
def test_scikit_learns_tools_work_on_rows_of_text_and_domain(new):
    small = new(epochs=1)
    assert cross_val_score(small, X, Y, cv=2).shape == (2,)
    search = GridSearchCV(
        make_pipeline(small), {"mftclassifier__alpha": np.array([0.2, 0.8])}, cv=2
    )
    assert search.fit(X, Y).best_params_["mftclassifier__alpha"] in (0.2, 0.8)
    assert clone(small).get_params() == small.get_params()


def test_parameters_are_checked_in_fit(new):
    for parameters in ({"alpha": 2}, {"preset": "nothing"}, {"method": "mtl"}):
        with pytest.raises(InputError):
            new(**parameters).fit(X, Y)


@pytest.mark.parametrize(
    ("data", "labels", "message"),
    [
        ("one text", ["yes"], "`X`: must be a list of texts"),
        (np.zeros((12, 3)), Y, r"`X`: .* Received: a ndarray of shape \(12, 3\)"),
        (np.arange(12), Y, r"`texts\[0\]`: must be text. Received: a int"),
        ([*X[:-1], ("good", None)], Y, r"`domains\[11\]`: is empty; every text needs one"),
        ([*X[:-1], (" ", "books")], Y, r"`texts\[11\]`: is empty"),
        (X, Y[:-1], "inconsistent numbers of samples"),
        (X, ["yes"] * 12, "a classifier needs two classes or more. Received: 'yes'"),
        (X, None, "requires y"),
        (X, np.linspace(0, 1, 12), "Unknown label type"),
        (X, [*Y[:-1], None], r"`y\[11\]`: is empty"),
        (X, np.eye(2)[[1, 0] * 6], "of one-hot rows give their argmax"),
        (pd.DataFrame(X, columns=["domain", "review"]), Y, "`X`: must have a column called text"),
    ],
)
def test_data_are_checked_in_fit(new, data, labels, message):
    with pytest.raises(ValueError, match=message):
        new().fit(data, labels)


@pytest.fixture(scope="module")
def adapted(new):
    settings = {
        **SETTINGS,
        "fine_tune.parts": "lora",
        "fine_tune.adapters.learning_rate": 0.05,
        "fine_tune.adapters.epochs": 4,
    }
    return new(settings=settings).fit(X, Y)


GARDEN = [f"{words} g" for words in WORDS]


@pytest.mark.long
def test_domains_may_have_small_parts_beside_one_model(adapted, tmp_path):
    assert list(adapted.history_) == ["meta fine-tuning", "fine-tuning"]
    assert adapted.domains_.tolist() == list(DOMAINS)
    mixed = [(text, name) for text in TEXTS for name in (*DOMAINS, "new")]
    answers = adapted.predict_proba(mixed)
    by_domain = answers.reshape(len(TEXTS), 4, 2).swapaxes(0, 1)
    for number, one in enumerate(by_domain):
        alone = adapted.predict_proba([(text, (*DOMAINS, "new")[number]) for text in TEXTS])
        np.testing.assert_allclose(one, alone, atol=1e-5)
        for other in by_domain[:number]:
            assert np.abs(one - other).max() > 1e-4
    adapted.save(tmp_path / "saved")
    assert not list((tmp_path / "saved").glob("*.weights.h5"))
    for copied in (MFTClassifier.load(tmp_path / "saved"), copy.deepcopy(adapted)):
        np.testing.assert_array_equal(copied.predict_proba(mixed), answers)


@pytest.mark.long
def test_domains_come_and_go_and_the_others_answers_stay(adapted):
    classifier = copy.deepcopy(adapted)
    mixed = [(text, name) for text in TEXTS for name in (*DOMAINS, "new")]
    before, general = adapted.predict_proba(mixed), adapted.predict_proba(GARDEN)
    classifier.add_domain(GARDEN, ["no", "no", "yes", "yes"], " garden ")
    assert classifier.domains_.tolist() == [*DOMAINS, "garden"]
    np.testing.assert_array_equal(classifier.predict_proba(mixed), before)
    of_garden = [(text, "garden") for text in GARDEN]
    assert np.abs(classifier.predict_proba(of_garden) - general).max() > 1e-3
    classifier.remove_domain("garden").remove_domain("films")
    np.testing.assert_array_equal(classifier.predict_proba(of_garden), general)
    kept = np.array([name != "films" for _, name in mixed])
    np.testing.assert_array_equal(classifier.predict_proba(mixed)[kept], before[kept])


@pytest.mark.long
@pytest.mark.parametrize(
    ("texts", "labels", "name", "field"),
    [
        (GARDEN, ["no"] * 3 + ["maybe"], "garden", r"y\[3\]"),
        (GARDEN, ["no"] * 4, "books ", "name"),
        (GARDEN, ["no"] * 4, "", "name"),
        ([*X[:1], *[(text, "garden") for text in GARDEN]], ["no"] * 5, "garden", r"domains\[0\]"),
    ],
)
def test_a_domain_that_cannot_be_added_says_why(adapted, texts, labels, name, field):
    with pytest.raises(InputError, match=f"`{field}`"):
        adapted.add_domain(texts, labels, name)
    assert adapted.domains_.tolist() == list(DOMAINS)


@pytest.mark.long
def test_a_class_comes_later_and_goes_again(adapted, tmp_path):
    classifier = copy.deepcopy(adapted)
    mixed = [(text, name) for text in TEXTS for name in (*DOMAINS, "new")]
    before = adapted.predict_proba(mixed)
    odd = [("! ! !", "books"), ("! ! the", "books"), ("! ! !", "garden")]
    classifier.add_class([*odd, *X], ["maybe"] * 3 + Y.tolist(), "maybe ")
    assert classifier.classes_.tolist() == ["maybe", "no", "yes"]
    assert classifier.predict(odd).tolist() == ["maybe"] * 3
    after = classifier.predict_proba(mixed)
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-6)
    # The logits of the others stay, and so their odds.
    np.testing.assert_allclose(after[:, 1] / after[:, 2], before[:, 0] / before[:, 1], rtol=1e-4)

    # Domains may have it, copies have it, and it goes as it came.
    classifier.add_domain(GARDEN, ["no", "no", "maybe", "maybe"], "garden")
    np.testing.assert_array_equal(classifier.predict_proba(mixed), after)
    classifier.save(tmp_path / "saved")
    for copied in (MFTClassifier.load(tmp_path / "saved"), copy.deepcopy(classifier)):
        np.testing.assert_array_equal(copied.predict_proba(mixed), after)
    classifier.remove_class("maybe")
    assert classifier.classes_.tolist() == ["no", "yes"]
    np.testing.assert_array_equal(classifier.predict_proba(mixed), before)
    with pytest.raises(InputError, match=r"`name`: must be a class that was added \(none\)"):
        classifier.remove_class("no")


@pytest.mark.long
@pytest.mark.parametrize(
    ("labels", "name", "message"),
    [
        (["no", "yes", "maybe", "odd"], "maybe", r"`y\[3\]`: must be a class of `fit`"),
        (["no", "yes", "no", "no"], "maybe", "`y`: must hold 'maybe' and classes"),
        (["maybe"] * 4, "maybe", "`y`: must hold 'maybe' and classes"),
        (["no"] * 4, "yes ", "`name`: must be a further class, written like 'no', 'yes'"),
        (["no"] * 4, 3, "`name`: must be a further class, written like 'no', 'yes'"),
    ],
)
def test_a_class_that_cannot_be_added_says_why(adapted, labels, name, message):
    with pytest.raises(InputError, match=message):
        adapted.add_class(GARDEN, labels, name)
    assert adapted.classes_.tolist() == ["no", "yes"]


OF_TOOLS = np.where(np.arange(12) < 8, Y, np.where(Y == "yes", "whole", "broken"))


@pytest.mark.long
@pytest.mark.parametrize("sets", ["found", {"books": ["no", "yes"], "tools": ["broken", "whole"]}])
@pytest.mark.parametrize("parts", ["all", "lora"])
def test_no_domain_is_answered_with_a_class_that_it_does_not_have(new, tmp_path, sets, parts):
    settings = {**SETTINGS, "fine_tune.parts": parts}
    classifier = new(label_sets=sets, settings=settings, epochs=1).fit(X, OF_TOOLS)
    assert classifier.classes_.tolist() == ["broken", "no", "whole", "yes"]
    asked = [(text, name) for text in TEXTS[:2] for name in ("books", "films", "tools", "new")]
    answers = classifier.predict_proba(asked).reshape(2, 4, 4)
    impossible = {0: (0, 2), 2: (1, 3), **({1: (0, 2)} if sets == "found" else {})}
    for domain in range(4):
        out = impossible.get(domain, ())
        assert (answers[:, domain, list(out)] == 0).all()
        assert (np.delete(answers[:, domain], out, axis=1) > 0).all()
    classifier.save(tmp_path / "saved")
    loaded = MFTClassifier.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.predict_proba(asked), answers.reshape(8, 4))
    if parts == "lora":
        loaded.add_domain(GARDEN, ["broken", "broken", "whole", "whole"], "garden")
        garden = loaded.predict_proba([(text, "garden") for text in GARDEN])
        assert (garden[:, [1, 3]] == 0).all() == (sets == "found")


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ("none", 'must be None, "found", or classes by domain'),
        ({"books": "no"}, 'must be None, "found", or classes by domain'),
        ({"book": ["no"]}, "names 'book', which .* did you mean 'books'"),
        ({"books": ["no"]}, "says that domain 'books' does not have the class of this text, 'yes'"),
    ],
)
def test_sets_of_classes_that_do_not_fit_are_refused(new, sets, message):
    with pytest.raises(InputError, match=f"`label_sets`: {message}"):
        new(label_sets=sets).fit(X, Y)


def test_whole_copies_take_no_further_domain(young):
    with pytest.raises(InputError, match="`settings`: needs small parts"):
        young.add_domain(GARDEN, ["no", "no", "yes", "yes"], "garden")
    with pytest.raises(InputError, match="`settings`: needs small parts"):
        young.remove_domain("books")


@pytest.mark.long
@pytest.mark.parametrize(
    ("method", "none"), [("mix_self", -1), pytest.param("mft_self", None, marks=pytest.mark.slow)]
)
def test_texts_without_labels_are_learned_from_too(new, method, none):
    # Those of tools have no label at all; of the others four have none each.
    texts = X + [(f"{text} !", domain) for text, domain in X[:8]]
    known = [0, 0, 1, 1] * 2
    labels = known + [none] * 12
    settings = {**SETTINGS, "self_train.gate": "none", "self_train.share": 1.0}
    made = new(method=method, settings=settings)
    if none is None:
        labels = [("no", "yes")[code] for code in known] + [None] * 12
    made.fit(texts, labels)
    assert made.classes_.tolist() == ([0, 1] if none == -1 else ["no", "yes"])
    taught = made.transduction_.tolist()
    assert taught[:8] == labels[:8]
    # All are asked for, half of each class: whichever the first model guesses too often waits.
    assert 0 < sum(label != none for label in taught[8:]) <= 12
    assert {title for title in made.history_ if "round-1" in title}
    probabilities = made.predict_proba(texts)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    if method == "mft_self":
        # The meta-learner answers for the domain that nobody labelled.
        tools = [(text, "garden") for text, domain in texts if domain == "tools"]
        own = [(text, domain) for text, domain in texts if domain == "tools"]
        np.testing.assert_allclose(made.predict_proba(own), made.predict_proba(tools), atol=1e-6)
        assert np.isnan(made.typicality_[8:]).all()
        assert np.isfinite(made.typicality_[:8]).all()


def test_such_methods_need_such_texts(new):
    with pytest.raises(InputError, match="has a label for every text, and `mix_self`"):
        new(method="mix_self").fit(X, Y)
    # And other methods none of them.
    with pytest.raises(InputError, match=r"y\[1\]"):
        new(method="mix").fit(X[:3], ["yes", None, "no"])


@pytest.mark.long
def test_cross_fitting_calibrates_and_abstains_by_texts_that_models_had_not_seen(
    new, young, monkeypatch, tmp_path
):
    learned, asked = [], []

    def spied(method):
        def train(task, *args, **kwargs):
            learned.append(set(task.splits["train"]))
            return method(task, *args, **kwargs)

        return train

    def found(probabilities, labels, codes, domains, settings):
        asked.append((probabilities, labels, codes))
        return find(probabilities, labels, codes, domains, settings)

    find = answers.find
    monkeypatch.setattr(phases, "meta_fine_tune", spied(phases.meta_fine_tune))
    monkeypatch.setattr(answers, "find", found)
    wants = {"answers.folds": 2, "answers.target_accuracy": 0.9, "answers.confidence": 0.8}
    classifier = new(settings={**SETTINGS, **wants}).fit(X, Y)

    # Two models learned from the halves of what the first learned from; each text was asked once
    # of the meta-learners and once of the copies.
    assert learned[0] == set(range(12)) == learned[1] | learned[2]
    assert not learned[1] & learned[2]
    assert [len(labels) for _, labels, _ in asked] == [12, 12]
    # The final model is that without cross-fitting; its scores are calibrated by those answers.
    raw = np.log(young.predict_proba(X))
    own, domains = find_rules(*asked[1], DOMAINS), [domain for _, domain in X]
    temperatures = [[own["domains"][name]["temperature"]] for name in domains]
    expected = keras.ops.softmax(raw / np.array(temperatures, np.float32))
    np.testing.assert_allclose(classifier.predict_proba(X), expected, atol=1e-5)
    learner = find_rules(*asked[0], DOMAINS)["unknown"]["temperature"]
    raw = np.log(young.predict_proba(TEXTS))
    expected = keras.ops.softmax(raw / np.float32(learner))
    np.testing.assert_allclose(classifier.predict_proba(TEXTS), expected, atol=1e-5)
    # Four texts of a domain, all right, show 0.2 ** (1 / 4) = 0.67: nothing is answered at 0.9.
    assert classifier.abstains(X).all()
    assert not young.abstains(X).any()

    classifier.save(tmp_path / "saved")
    again = MFTClassifier.load(tmp_path / "saved")
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    assert again.abstains(X).all()


def test_a_promise_needs_texts_that_were_held_out(new):
    with pytest.raises(InputError, match=r"set `answers\.folds`"):
        new(settings={"answers.target_accuracy": 0.9}).fit(X, Y)


@pytest.mark.long
def test_a_wrong_label_is_untypical_to_encoders_that_did_not_learn_it(new):
    texts = [f"{words} {end}" for end in "bft" for words in (*WORDS, "!", "x")]
    labels = np.array(["yes", "yes", "no", "no", "no", "no"] * 3)
    labels[0] = "no"  # of "good b"
    task = {"mft.typicality_from": "cross_fitted", "mft.typicality_folds": 3, "mft.clip": None}
    classifier = new(epochs=8, settings={**SETTINGS, **task}).fit(texts, labels)
    assert classifier.typicality_.argmin() == 0
    assert classifier.typicality_[0] < np.median(classifier.typicality_) - 0.2
