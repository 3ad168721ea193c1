import collections
from importlib import resources

from easymft.data.sample import read_sample


def test_sample_is_balanced_marked_and_distinct():
    corpus = read_sample()
    cells = collections.Counter(zip(corpus.codes("domain"), corpus.codes("label"), strict=True))
    assert corpus.domains == ("books", "dvd", "electronics", "kitchen")
    assert corpus.labels == ("negative", "positive")
    assert set(cells.values()) == {60}
    assert len(cells) == 8
    assert corpus.is_sample
    assert "BUNDLED SAMPLE" in corpus.notes[0]
    assert len(set(corpus.table["text"].to_pylist())) == 480
    assert len(set(corpus.table["id"].to_pylist())) == 480


def test_a_word_turns_its_polarity_with_the_domain():
    corpus = read_sample()
    texts, labels = corpus.table["text"].to_pylist(), corpus.codes("label")
    with_word = {
        (corpus.domains[domain], corpus.labels[label])
        for text, domain, label in zip(texts, corpus.codes("domain"), labels, strict=True)
        if "unpredictable" in text.lower()
    }
    assert ("books", "positive") in with_word
    assert ("electronics", "negative") in with_word


def test_licence_goes_with_the_texts():
    licence = resources.files("easymft.data.sample").joinpath("LICENSE").read_text()
    assert "CC0 1.0" in licence
