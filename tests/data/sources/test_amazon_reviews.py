import pytest

from easymft.data.sources import amazon_reviews
from easymft.errors import InputError
from tests.data.reading import REVIEW, write_reviews


def parse(text: str) -> list[dict]:
    return list(amazon_reviews.parse_reviews(text, "books/positive.review"))


def test_folder_gives_domains_labels_and_stable_ids(tmp_path):
    corpus = amazon_reviews.read_folder(write_reviews(tmp_path, per_file=3))
    assert len(corpus) == 24
    assert corpus.labels == ("negative", "positive")
    assert corpus.domains == ("books", "dvd", "electronics", "kitchen")
    ids = corpus.table["id"].to_pylist()
    assert len(set(ids)) == 24
    row = ids.index("kitchen/positive/2")
    assert corpus.table["text"][row].as_py() == "positive kitchen_&_housewares text 2"
    assert corpus.domains[corpus.codes("domain")[row]] == "kitchen"
    # <data> is line 1 and a block has 17 lines: the third starts at 2 + 2 * 17.
    assert corpus.place(row)["line"] == 36


def test_repeated_bodies_are_counted_within_a_domain(tmp_path):
    folder = write_reviews(tmp_path, per_file=1)
    again = REVIEW.format(number=9, rating=1.0, text="positive books text 0")
    for inside in ("books", "dvd"):
        with open(folder / inside / "negative.review", "a") as handle:
            handle.write(again)
    assert amazon_reviews.read_folder(folder).notes == ("1 repeated bodies within a domain",)


def test_latin_1_ampersands_and_entities():
    text = "Café &amp; R&B &#39;77 &eacute; but see ?a=1&region=2 &nosuch; x < y"
    [review] = parse(REVIEW.format(number=0, rating=4.0, text=text))
    assert review["text"] == "Café & R&B '77 é but see ?a=1&region=2 &nosuch; x < y"
    assert review["decoded"]
    assert review["rating"] == 4.0
    assert review["title"] == "Title 0"


def test_latin_1_bytes_are_read(tmp_path):
    folder = write_reviews(tmp_path, per_file=1)
    path = folder / "dvd" / "positive.review"
    path.write_bytes(REVIEW.format(number=0, rating=5.0, text="déjà vu").encode("latin-1"))
    assert "déjà vu" in amazon_reviews.read_folder(folder).table["text"].to_pylist()


@pytest.mark.parametrize("entity", [f"&#{'9' * 5000};", f"&#x{'f' * 7};", "&#;", "&;", "&#x;"])
def test_what_is_no_entity_stays(entity):
    assert parse(REVIEW.format(number=0, rating=4.0, text=entity))[0]["text"] == entity


def test_a_file_beyond_the_limit_is_not_read(tmp_path, monkeypatch):
    folder = write_reviews(tmp_path, per_file=1)
    monkeypatch.setattr(amazon_reviews, "MAX_FILE_BYTES", 100)
    with pytest.raises(InputError, match=r"positive\.review: larger than 100 bytes"):
        list(amazon_reviews.read_reviews(folder / "books/positive.review"))


def test_an_empty_field_is_no_fault():
    block = REVIEW.format(number=0, rating=5.0, text="t").replace("Title 0", "")
    assert parse(block)[0]["title"] == ""


GOOD = REVIEW.format(number=0, rating=5.0, text="fine")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (GOOD.replace("</review>\n", ""), "no complete <review>"),
        (GOOD.replace("</review>\n", "") + GOOD, "no complete <review>"),
        ("stray text\n" + GOOD, "no complete <review>"),
        (GOOD.replace("review_text", "body"), "lacks <review_text>"),
        (GOOD.replace("</rating>", ""), "lacks <rating>"),
        (GOOD.replace("5.0", "five"), "is no number. Received: 'five'"),
    ],
)
def test_a_malformed_block_names_file_and_line(broken, message):
    with pytest.raises(InputError, match=message) as caught:
        parse(GOOD + "\n" + broken)
    assert caught.value.file == "books/positive.review"
    assert caught.value.line == 19  # after 17 lines of the good block and a blank one


def test_a_missing_file_is_named(tmp_path):
    folder = write_reviews(tmp_path)
    (folder / "dvd" / "negative.review").unlink()
    with pytest.raises(InputError, match=r"dvd.negative\.review: cannot be read"):
        amazon_reviews.read_folder(folder)


@pytest.mark.parametrize("inside", ["amazon_reviews/sorted_data_acl", "sorted_data_acl", "."])
def test_known_layouts_are_found(tmp_path, inside):
    write_reviews(tmp_path / inside)
    assert amazon_reviews.find_folder(tmp_path) == tmp_path / inside
    assert amazon_reviews.find_folder(tmp_path / "elsewhere") is None
