import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from easymft.data.corpus.cells import apportion
from easymft.data.corpus.splits import (
    PAPER_SIZES,
    load_splits,
    make_splits,
    save_splits,
)
from easymft.errors import InputError

DOMAINS = ("books", "dvd", "kitchen")
LABELS = ("negative", "positive")


def _config(**settings):
    defaults = {
        "kind": "seeded",
        "dev": 0.1,
        "test": 0.1,
        "seed": None,
        "folds": 5,
        "few_shot": None,
        "leave_out": None,
        "left_out": "labeled",
        "ids": None,
    }
    return SimpleNamespace(**{**defaults, **settings})


def _fraction(share, rest="unused"):
    return SimpleNamespace(fraction=share, per_class=None, rest=rest)


def _corpus(sizes):
    """Texts of a (domain, class) -> size table, in a mixed order."""
    cells = [cell for cell, size in sizes.items() for _ in range(size)]
    domains, labels = np.array(cells, int).reshape(-1, 2).T
    order = np.random.default_rng(0).permutation(len(cells))
    ids = np.array([f"text-{row:05d}" for row in range(len(cells))])
    return labels[order], domains[order], ids


def _split(corpus, config, seed=1, given=None, domain_names=DOMAINS, label_names=LABELS):
    labels, domains, ids = corpus
    return make_splits(
        *(labels, domains, ids, config, seed),
        domain_names=domain_names,
        label_names=label_names,
        given=given,
    )


def _cell_sizes(corpus, rows):
    labels, domains, _ = corpus
    table = np.zeros((len(DOMAINS), len(LABELS)), int)
    np.add.at(table, (domains[rows], labels[rows]), 1)
    return table


corpora = st.dictionaries(
    st.tuples(st.integers(0, 2), st.integers(0, 1)), st.integers(1, 60), min_size=1
).map(_corpus)
shares = st.floats(0.01, 0.4)


@settings(max_examples=60, deadline=None)
@given(corpora, st.integers(2, 7), shares)
def test_folds_test_every_text_once_and_share_out_every_cell(corpus, folds, dev):
    config, every = _config(kind="folds", folds=folds, dev=dev), np.arange(len(corpus[0]))
    if len(every) <= folds * len(DOMAINS):  # some fold may be empty
        return
    cut = [_split(corpus, config, seed) for seed in range(1, folds + 1)]
    for splits in cut:
        np.testing.assert_array_equal(np.sort(np.concatenate(list(splits.values()))), every)
        sizes = _cell_sizes(corpus, splits["test"])
        assert (np.abs(sizes - _cell_sizes(corpus, every) / folds) < 1).all()
    tested = np.concatenate([splits["test"] for splits in cut])
    np.testing.assert_array_equal(np.sort(tested), every)


def test_the_fold_goes_by_the_seed_and_the_cut_by_the_split_s_seed():
    corpus = _corpus({(0, 0): 20, (0, 1): 20})
    tested = [_split(corpus, _config(kind="folds"), seed)["test"] for seed in (1, 2, 6)]
    assert not set(tested[0]) & set(tested[1])
    np.testing.assert_array_equal(tested[0], tested[2])
    other = _split(corpus, _config(kind="folds", seed=3), 1)["test"]
    assert set(other) != set(tested[0])


@settings(max_examples=60, deadline=None)
@given(corpora, shares, shares, st.integers(0, 2**63))
def test_seeded_split_is_disjoint_complete_and_stratified(corpus, dev, test, seed):
    splits = _split(corpus, _config(dev=dev, test=test), seed)
    rows = np.concatenate(list(splits.values()))
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(corpus[0])))
    total = _cell_sizes(corpus, np.arange(len(corpus[0])))
    for part, share in (("dev", dev), ("test", test)):
        sizes = _cell_sizes(corpus, splits[part])
        assert (np.abs(sizes - share * total) <= 1).all()
        assert (sizes[total >= 3] >= 1).all()
        assert (np.diff(splits[part]) > 0).all()
    assert (_cell_sizes(corpus, splits["train"])[total > 0] >= 1).all()


@settings(max_examples=40, deadline=None)
@given(corpora, st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_change_the_split(corpus, seed, random):
    order = np.arange(len(corpus[0]))
    random.shuffle(order)
    config = _config(few_shot=_fraction(0.3))
    mixed = tuple(column[order] for column in corpus)
    one, other = _split(corpus, config, seed), _split(mixed, config, seed)
    for part, rows in one.items():
        assert set(corpus[2][rows]) == set(mixed[2][other[part]])


@settings(max_examples=40, deadline=None)
@given(corpora, st.integers(0, 1000), st.floats(0.01, 1), st.floats(0.01, 1))
def test_few_shot_parts_are_nested_and_thin_only_train(corpus, seed, one, other):
    less, more = (
        _split(corpus, _config(few_shot=_fraction(f)), seed) for f in sorted((one, other))
    )
    whole = _split(corpus, _config(), seed)
    assert set(less["train"]) <= set(more["train"]) <= set(whole["train"])
    for part in ("dev", "test"):
        np.testing.assert_array_equal(less[part], whole[part])
    trained = _cell_sizes(corpus, whole["train"])
    expected = np.where(trained, np.maximum(1, np.floor(min(one, other) * trained + 0.5)), 0)
    np.testing.assert_array_equal(_cell_sizes(corpus, less["train"]), expected)


def test_the_rest_of_few_shot_stays_without_its_labels():
    corpus = _corpus({(d, label): 50 for d in range(3) for label in range(2)})
    whole = _split(corpus, _config(), 3)
    few = _split(corpus, _config(few_shot=_fraction(0.1, "unlabeled")), 3)
    assert set(few) == {*whole, "unlabeled"}
    assert set(few["train"]).isdisjoint(few["unlabeled"])
    assert {*few["train"], *few["unlabeled"]} == set(whole["train"])
    left_out = _config(leave_out="kitchen", few_shot=_fraction(0.1, "unlabeled"))
    few = _split(corpus, left_out, 3)
    whole = _split(corpus, _config(leave_out="kitchen"), 3)
    assert {*few["left_out_train"], *few["unlabeled"]} == set(whole["left_out_train"])


def test_few_shot_per_class_takes_that_many_of_each_cell():
    corpus = _corpus({(0, 0): 50, (0, 1): 50, (1, 0): 50, (1, 1): 10})
    config = _config(few_shot=SimpleNamespace(fraction=None, per_class=16, rest="unused"))
    sizes = _cell_sizes(corpus, _split(corpus, config)["train"])
    # The small cell keeps all of its 10 - 1 - 1 training texts.
    np.testing.assert_array_equal(sizes, [[16, 16], [16, 8], [0, 0]])


def test_a_cell_does_not_depend_on_other_cells_or_on_the_order_of_names():
    corpus = _corpus({(0, 0): 40, (0, 1): 40, (1, 0): 30, (1, 1): 30})
    labels, domains, ids = corpus
    books = np.flatnonzero(domains == 0)
    alone = tuple(column[books] for column in corpus)
    whole = _split(corpus, _config())
    part = _split(alone, _config())
    assert set(alone[2][part["test"]]) == set(ids[whole["test"]]) & set(ids[books])
    renamed = _split(
        (1 - labels, 2 - domains, ids), _config(), 1, None, DOMAINS[::-1], LABELS[::-1]
    )
    np.testing.assert_array_equal(renamed["test"], whole["test"])


def test_seed_changes_the_split_and_the_configured_seed_comes_first():
    corpus = _corpus({(0, 0): 50, (0, 1): 50})
    one, two = (_split(corpus, _config(), seed)["test"] for seed in (1, 2))
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(_split(corpus, _config(seed=1), 2)["test"], one)


def test_counts_per_domain_are_exact_and_proportional():
    corpus = _corpus({(0, 0): 60, (0, 1): 20, (1, 0): 30, (1, 1): 30})
    splits = _split(corpus, _config(dev=7, test=8))
    np.testing.assert_array_equal(_cell_sizes(corpus, splits["test"])[:2], [[6, 2], [4, 4]])
    np.testing.assert_array_equal(_cell_sizes(corpus, splits["dev"])[:2], [[5, 2], [4, 3]])


def test_a_count_that_a_domain_cannot_pay_becomes_a_tenth(caplog):
    corpus = _corpus({(0, 0): 50, (0, 1): 50, (1, 0): 2000, (1, 1): 2000})
    splits = _split(corpus, _config(dev=2000, test=0.1))
    np.testing.assert_array_equal(_cell_sizes(corpus, splits["dev"])[:2], [[5, 5], [1000, 1000]])
    assert "books" in caplog.text
    assert "dvd" not in caplog.text


def test_paper_sizes():
    names = tuple(PAPER_SIZES)
    corpus = _corpus({(domain, label): 1000 for domain in range(4) for label in range(2)})
    for kind in ("auto", "paper"):
        splits = _split(corpus, _config(kind=kind), domain_names=names)
        sizes = [
            tuple((corpus[1][splits[part]] == domain).sum() for part in ("train", "dev", "test"))
            for domain in range(4)
        ]
        assert sizes == [(1763, 120, 117), (1752, 120, 128), (1729, 144, 127), (1756, 119, 125)]
    positive = corpus[0][splits["test"]] == 1
    books = corpus[1][splits["test"]] == 0
    assert (positive & books).sum() in (58, 59)


def test_paper_kind_needs_the_full_corpus_and_auto_goes_on_without_it():
    corpus = _corpus({(0, 0): 50, (0, 1): 50})
    with pytest.raises(InputError, match=r"2000 books.*Received: 100 texts"):
        _split(corpus, _config(kind="paper"))
    auto, seeded = (_split(corpus, _config(kind=kind)) for kind in ("auto", "seeded"))
    np.testing.assert_array_equal(auto["test"], seeded["test"])


def test_given_split_is_kept_and_dev_cut_from_train():
    corpus = _corpus({(0, 0): 50, (0, 1): 50})
    column = np.array(["train"] * 60 + [None] * 20 + ["test"] * 20, dtype=object)
    splits = _split(corpus, _config(kind="auto", dev=10), given=column)
    np.testing.assert_array_equal(splits["test"], np.arange(80, 100))
    assert len(splits["dev"]) == 10
    assert splits["dev"].max() < 80
    np.testing.assert_array_equal(
        np.sort(np.concatenate([splits["train"], splits["dev"]])), np.arange(80)
    )
    whole = ["train"] * 60 + ["dev"] * 20 + ["test"] * 20
    np.testing.assert_array_equal(
        _split(corpus, _config(kind="given"), given=whole)["dev"], np.arange(60, 80)
    )


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (None, "needs a corpus with a split"),
        (["valid"] * 10, "Received: \\['valid'\\]"),
        (["test"] * 10, "no text in `train`"),
    ],
)
def test_given_split_that_cannot_be_used(column, words):
    with pytest.raises(InputError, match=words):
        _split(_corpus({(0, 0): 10}), _config(kind="given"), given=column)


def test_leave_out_and_few_shot_of_the_left_out_domain():
    corpus = _corpus({(d, label): 50 for d in range(3) for label in range(2)})
    whole = _split(corpus, _config())
    kitchen = corpus[1] == 2
    splits = _split(corpus, _config(leave_out="kitchen", few_shot=_fraction(0.1)))
    for part in ("train", "dev"):
        np.testing.assert_array_equal(splits[part], whole[part][~kitchen[whole[part]]])
    np.testing.assert_array_equal(splits["test"], whole["test"])
    np.testing.assert_array_equal(splits["left_out_dev"], whole["dev"][kitchen[whole["dev"]]])
    np.testing.assert_array_equal(
        _cell_sizes(corpus, splits["left_out_train"]), [[0, 0], [0, 0], [4, 4]]
    )
    assert set(splits["left_out_train"]) <= set(whole["train"])


def test_a_domain_left_out_may_keep_its_texts_without_their_labels():
    corpus = _corpus({(d, label): 50 for d in range(3) for label in range(2)})
    whole, kitchen = _split(corpus, _config()), corpus[1] == 2
    settings = {"leave_out": "kitchen", "left_out": "unlabeled"}
    splits = _split(corpus, _config(**settings, few_shot=_fraction(0.1)))
    train = whole["train"]
    np.testing.assert_array_equal(splits["unlabeled"], train[kitchen[train]])
    assert len(splits["left_out_train"]) == 0
    # `few_shot` thins the domains that have labels.
    np.testing.assert_array_equal(_cell_sizes(corpus, splits["train"]), [[4, 4], [4, 4], [0, 0]])
    np.testing.assert_array_equal(splits["test"], whole["test"])
    rest = _split(corpus, _config(**settings, few_shot=_fraction(0.1, "unlabeled")))
    assert {*rest["unlabeled"], *rest["train"]} == set(train)
    assert set(splits["unlabeled"]) < set(rest["unlabeled"])


def test_leave_out_names_the_nearest_domain_and_needs_another():
    with pytest.raises(InputError, match="did you mean 'kitchen'"):
        _split(_corpus({(0, 0): 10, (2, 0): 10}), _config(leave_out="kitchn"))
    with pytest.raises(InputError, match="no other domain"):
        _split(_corpus({(0, 0): 10}), _config(leave_out="books"))


def test_saved_splits_come_back_by_id(tmp_path):
    corpus = _corpus({(d, label): 20 for d in range(3) for label in range(2)})
    path = tmp_path / "splits.json"
    first = _split(corpus, _config(leave_out="kitchen"))
    save_splits(path, first, corpus[2])
    mixed = tuple(column[::-1] for column in corpus)
    again = _split(mixed, _config(kind="saved", ids=path, leave_out="kitchen"))
    assert set(again) == set(first)
    for part, rows in first.items():
        assert set(mixed[2][again[part]]) == set(corpus[2][rows])
    bare = _config(leave_out="kitchen", left_out="unlabeled")
    save_splits(path, _split(corpus, bare), corpus[2])
    again = _split(corpus, _config(kind="saved", ids=path, leave_out="kitchen"))
    np.testing.assert_array_equal(again["unlabeled"], first["left_out_train"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a readable splits file"),
        ('{"train": ["text-00000"]}', "a list of ids under each"),
        ('{"train": [], "dev": [], "test": [], "extra": 5}', "under nothing else"),
        ('{"train": [], "dev": [], "test": [], "left_out_dev": 5}', "a list of ids under each"),
        ("[" * 100_000, "not a readable splits file"),
        ('{"train": ["nobody"], "dev": [], "test": []}', "does not have.*nobody"),
        ('{"train": ["text-00000"], "dev": ["text-00000"], "test": []}', "more than once"),
    ],
)
def test_saved_splits_that_cannot_be_used(tmp_path, content, words):
    path = tmp_path / "splits.json"
    path.write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        load_splits(path, ["text-00000", "text-00001"])
    assert caught.value.file == path
    with pytest.raises(InputError, match="not a readable"):
        load_splits(tmp_path / "absent.json", [])


def test_saved_ids_may_be_numbers_as_other_tools_write_them(tmp_path):
    path = tmp_path / "splits.json"
    path.write_text('{"train": [7, 8.0, " a"], "dev": ["9.0"], "test": [" b:2"]}')
    splits = load_splits(path, ["7", "8", "9", "a", " b:2"])
    assert {part: rows.tolist() for part, rows in splits.items()} == {
        "train": [0, 1, 3],
        "dev": [2],
        "test": [4],
    }


def test_saved_file_is_plain_json_of_ids(tmp_path):
    path = tmp_path / "splits.json"
    save_splits(path, {"train": np.array([1]), "dev": np.array([0])}, ["a", "b"])
    assert json.loads(path.read_text()) == {"train": ["b"], "dev": ["a"]}


def test_apportion_gives_odd_texts_to_the_largest_remainders():
    np.testing.assert_array_equal(apportion(117, np.array([1000, 1000])), [59, 58])
    np.testing.assert_array_equal(apportion(10, np.array([1, 1, 98])), [0, 0, 10])
    np.testing.assert_array_equal(apportion(5, np.array([3, 3, 4])), [2, 1, 2])
