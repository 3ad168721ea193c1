"""Decisions on single texts, as a spreadsheet gives them back."""

import pytest

from easymft.data.corpus.checksum import checksum
from easymft.data.sources.corrections import kept_ids
from easymft.data.sources.load import load_corpus
from easymft.errors import InputError, InputErrors
from tests.data.reading import own

TEXTS = [
    ("001", "first", "pos", "books"),
    ("002", "second", "neg", "books"),
    ("=3", "third", "pos", "dvd"),
    ("004", "fourth", "neg", "dvd"),
]
HEADER = "id,text,suggested_label,decision,checksum\n"


@pytest.fixture
def read(tmp_path):
    """Load four texts, and one without label, with corrections in files of the given content."""
    lines = [",".join(row) for row in [("key", "text", "label", "domain"), *TEXTS]]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "bare.csv").write_text("key,text,domain\n9,ninth,dvd\n")

    def load(*contents, **settings):
        for number, content in enumerate(contents):
            data = content if isinstance(content, bytes) else content.encode()
            (tmp_path / f"audit-{number}.csv").write_bytes(data)
        files = {"all": tmp_path / "a.csv", "unlabeled": tmp_path / "bare.csv"}
        pattern = str(tmp_path / "audit-*.csv")
        data = own(files, {"id": "key"}).model_copy(update={"corrections": pattern, **settings})
        return load_corpus(data)

    return load


def labels(corpus):
    names = [*corpus.labels, None]
    return {row["id"]: names[row["label"]] for row in corpus.table.to_pylist()}


def row(id_, decision, label="", text=None):
    texts = {key: text for key, text, *_ in TEXTS} | {"9": "ninth"}
    return f"{id_},x,{label},{decision},{checksum([text or texts[id_.strip(chr(39))]])}\n"


def test_decisions_are_followed_and_counted(read, tmp_path):
    before = (tmp_path / "a.csv").read_text()
    rows = [row("001", "relabel", "neg"), row("002", "Drop"), row("'=3", " keep "), row("004", "")]
    corpus = read(HEADER + "".join(rows))
    assert labels(corpus) == {"001": "neg", "=3": "pos", "004": "neg", "9": None}
    (note,) = (note for note in corpus.notes if note.startswith("corrections"))
    assert note.startswith(f"corrections of {tmp_path}/audit-0.csv (SHA-256 ")
    assert note.endswith("1 labels replaced (1 pos to neg), 1 texts left out, 1 kept as they were")
    assert (tmp_path / "a.csv").read_text() == before
    assert kept_ids(corpus, str(tmp_path / "audit-0.csv")) == {"001", "=3"}


def test_a_spreadsheet_may_make_numbers_of_ids_and_write_semicolons(read):
    content = (HEADER + row("001", "relabel", "neg") + row("002", "keep")).replace(",", ";")
    content = content.replace("\n001;", "\n1;").replace("\n002;", "\n2;")
    corpus = read(content.encode("utf-8-sig"))
    assert labels(corpus)["001"] == "neg"


def test_a_text_without_label_that_gets_one_is_learned_from(read):
    corpus = read(HEADER + row("9", "relabel", "pos"))
    assert labels(corpus)["9"] == "pos"
    assert corpus.table["split"].to_pylist() == [None] * 5


def test_the_later_file_counts(read):
    first, second = HEADER + row("001", "drop"), HEADER + row("001", "relabel", "neg")
    assert labels(read(first, second))["001"] == "neg"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row("001", "relable", "neg"), "audit-0.csv:2: `decision`: must be keep, relabel, drop"),
        (row("001", "relabel", "negg"), "`suggested_label`: must be a class .* did you mean 'neg'"),
        (row("001", "drop", text="changed"), "`id`: is another text now than the one decided on"),
        ("8,x,,drop,\n", "`id`: is no text of the corpus. Received: '8'"),
    ],
)
def test_what_cannot_be_followed_is_an_error_with_its_line(read, line, message):
    with pytest.raises(InputError, match=message):
        read(HEADER + line)


def test_all_faults_are_told_at_once(read):
    with pytest.raises(InputErrors, match="2 problems"):
        read(HEADER + row("001", "no") + row("002", "yes"))


def test_a_file_must_be_there_and_a_packed_corpus_have_it_already(read):
    with pytest.raises(InputError, match=r"`data.corrections`: no such file"):
        read(corrections="nowhere/*.csv")
    with pytest.raises(InputError, match="come too late for a packed corpus"):
        read(source="packed")
