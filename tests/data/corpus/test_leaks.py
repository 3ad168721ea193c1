from easymft.data.corpus.leaks import drop_leaks
from tests.data.corpus.small_corpus import corpus, cut


def test_leaks_leave_train_then_dev():
    texts = ["in test", "In  Test", "in dev", "IN DEV ", "own", "in test\n", "in test", "in dev"]
    data = corpus(texts, "abababab", "xxxxyyyy")
    splits = cut(train=[0, 2, 4], dev=[3, 5], test=[6])
    kept, dropped = drop_leaks(data, splits)
    assert kept["train"].tolist() == [4]
    assert kept["dev"].tolist() == [3]
    assert kept["test"].tolist() == [6]
    assert dropped == {"train": 2, "dev": 1, "test": 0}
    assert splits["train"].tolist() == [0, 2, 4]


def test_leaks_of_pairs_need_both_texts_equal():
    data = corpus(["p", "p", "p"], "abc", "xxx", pairs=["h1", "h2", "H1 "])
    kept, dropped = drop_leaks(data, cut(train=[0, 1], test=[2]))
    assert kept["train"].tolist() == [1]
    assert dropped["train"] == 1
    joined = corpus(["a b", "a"], "ab", "xx", pairs=["c", "b c"])
    assert drop_leaks(joined, cut(train=[0], test=[1]))[1] == {"train": 0, "dev": 0, "test": 0}


def test_composed_and_decomposed_letters_are_one_text():
    data = corpus(["caf\u00e9", "cafe\u0301"], "ab", "xx")
    assert drop_leaks(data, cut(train=[0], test=[1]))[1]["train"] == 1


def test_leaks_of_a_left_out_domain_are_dropped_too():
    data = corpus(["s", "s", "t", "t", "u"], "ababa", "xxyyy")
    splits = cut(train=[4], test=[0], left_out_train=[1, 2], left_out_dev=[3])
    kept, dropped = drop_leaks(data, splits)
    assert kept["left_out_train"].tolist() == []
    assert kept["left_out_dev"].tolist() == [3]
    assert dropped["left_out_train"] == 2


def test_texts_without_labels_lose_those_of_dev_and_test():
    data = corpus(["s", "S ", "t", "t", "u", "v"], "ababab", "xxyyyy")
    splits = cut(train=[4], dev=[2], test=[0], unlabeled=[1, 3, 5])
    kept, dropped = drop_leaks(data, splits)
    assert kept["unlabeled"].tolist() == [5]
    assert dropped["unlabeled"] == 2
