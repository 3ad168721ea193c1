import datetime

import numpy as np
import pandas as pd
import pytest

from easymft.data.corpus.lists import unlabelled
from easymft.errors import InputError
from easymft.in_memory.corpus import labelled

TEXTS = ["good", "bad", "good"]
LABELS, DOMAINS = [1, 0, 1], ["x", "y", "x"]
NOTHING = [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT"), "", " "]


def test_a_corpus_holds_what_the_lists_hold():
    corpus = labelled({"text": TEXTS, "label": LABELS, "domain": DOMAINS})
    assert corpus.table["text"].to_pylist() == TEXTS
    assert corpus.table["id"].to_pylist() == ["0", "1", "2"]
    assert (corpus.labels, corpus.domains) == (("0", "1"), ("x", "y"))
    assert corpus.codes("label").tolist() == LABELS
    assert corpus.codes("domain").tolist() == [0, 1, 0]
    assert not corpus.is_pair


@pytest.mark.parametrize("role", ["text", "label", "domain", "text_pair"])
@pytest.mark.parametrize("nothing", NOTHING, ids=lambda value: type(value).__name__)
def test_nothing_is_named_by_its_place(role, nothing):
    columns = {"text": TEXTS, "label": LABELS, "domain": DOMAINS, "text_pair": TEXTS}
    columns[role] = [*columns[role][:2], nothing]
    with pytest.raises(InputError, match=rf"^`{role}s\[2\]`: is (empty|missing)"):
        labelled(columns)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["good", 5, "bad"]}, r"`texts\[1\]`: must be text. Received: a int"),
        ({"text": ["good", b"x", "bad"]}, r"`texts\[1\]`: must be text. Received: a bytes"),
        (
            {"text": ["x", "x", "y"], "domain": ["a b", "c", "d"]},
            "`domains`: there are more domains",
        ),
        ({"domain": ["x", ["y"], "x"]}, r"`domains\[1\]`: must be text or a finite number"),
        ({"domain": ["x", "X", "x"]}, "`domains`.*: domain 'X' differs from 'x' by case"),
        ({"label": ["a", "b", "A"]}, "`labels`.*: label 'A' differs from 'a' by case"),
        ({"label": [1, np.inf, 1]}, r"`labels\[1\]`: must be text or a finite number"),
        ({"label": [1, np.ma.masked, 1]}, r"`labels\[1\]`: is empty"),
        ({"label": [1, datetime.date(2020, 1, 1), 1]}, r"`labels\[1\]`: must be text or a finite"),
        ({"domain": ["x"]}, "`domains`: must have one value for each of the 3 texts. Received: 1"),
        ({"text": [], "label": [], "domain": []}, "`texts`: must hold at least one text"),
    ],
)
def test_what_cannot_be_learnt_from_is_named(columns, message):
    with pytest.raises(InputError, match=message):
        labelled({"text": TEXTS, "label": LABELS, "domain": DOMAINS, **columns})


def test_names_have_a_limit():
    many = list(range(1001))
    columns = {"text": ["good"] * 1001, "label": many, "domain": many}
    with pytest.raises(InputError, match="`labels`: must have at most 1,000 different"):
        labelled(columns)
    with pytest.raises(InputError, match="`domains`: must have at most 1,000 different"):
        labelled({**columns, "label": [0] * 1001})


def test_any_text_can_be_asked():
    texts = ["", " \t", "a\0b", "good " * 250_000, "half \ud800"]
    corpus, domains = unlabelled({"text": texts})
    assert corpus.table["text"].to_pylist() == ["", " \t", "ab", texts[3], "half ?"]
    assert domains == [None] * 5


def test_domains_are_named_as_in_training():
    values = ["x", 3, 3.0, np.float32(3), True, np.True_, " x", "x" * 900, "\x1b", *NOTHING]
    _, domains = unlabelled({"text": ["good"] * len(values), "domain": values})
    named = ["x", "3", "3", "3", "true", "true", "x", "x" * 900]
    assert domains[:8] == named
    assert domains[9:] == [None] * len(NOTHING)
    kept = values[:7]
    corpus = labelled({"text": list("abcdefg"), "label": [0] * 7, "domain": kept})
    assert [corpus.domains[code] for code in corpus.codes("domain")] == named[:7]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["good", None]}, r"`texts\[1\]`: is missing"),
        ({"text": ["good", float("nan")]}, r"`texts\[1\]`: is missing"),
        ({"text": ["good", 5]}, r"`texts\[1\]`: must be text. Received: a int"),
        ({"text": ["a", "b"], "text_pair": ["c", pd.NA]}, r"`text_pairs\[1\]`: is missing"),
        ({"text": ["a", "b"], "domain": ["c", ["d"]]}, r"`domains\[1\]`: must be text or a finite"),
        ({"text": ["a", "b"], "domain": ["c", b"d"]}, r"`domains\[1\]`: .* Received: a bytes"),
        ({"text": ["a", "b"], "domain": ["c"]}, "`domains`: must have one value for each of the 2"),
        ({"text": []}, "`texts`: must hold at least one text"),
    ],
)
def test_what_cannot_be_asked_is_named(columns, message):
    with pytest.raises(InputError, match=message):
        unlabelled(columns)
