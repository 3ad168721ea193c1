import subprocess
import sys

import pytest

from easymft.config import DataConfig
from easymft.data.sources import load as sources
from easymft.errors import InputError
from tests.data.reading import write_pairs, write_reviews, write_snippets


@pytest.fixture(autouse=True)
def no_corpora(monkeypatch):
    """A machine with no corpora and no network."""
    monkeypatch.delenv("EASYMFT_DATA_DIR", raising=False)

    def unreachable(*args, **kwargs):
        raise InputError("cannot be reached (no network)", field="data.source")

    monkeypatch.setattr(sources, "read_tfds", unreachable)


def test_the_recipes_folder_comes_before_the_environments(tmp_path, monkeypatch):
    write_reviews(tmp_path / "one" / "sorted_data_acl", per_file=1)
    write_reviews(tmp_path / "two", per_file=2)
    monkeypatch.setenv("EASYMFT_DATA_DIR", str(tmp_path / "two"))
    given = DataConfig(source="amazon_reviews", dir=str(tmp_path / "one"))
    assert len(sources.load_corpus(given)) == 8
    elsewhere = sources.load_corpus(DataConfig(source="amazon_reviews", dir=str(tmp_path / "no")))
    assert len(elsewhere) == 16
    assert f"looked in vain in {tmp_path / 'no'}" in elsewhere.notes[-1]


def test_the_sample_stands_in_loudly(tmp_path):
    data = DataConfig(source="amazon_reviews", dir=str(tmp_path), fallback="sample")
    corpus = sources.load_corpus(data)
    assert corpus.is_sample
    assert "BUNDLED SAMPLE" in corpus.notes[0]
    assert str(tmp_path) in corpus.notes[1]
    assert "no network" in corpus.notes[1]


def test_without_fallback_absence_is_an_error_that_names_the_places(tmp_path):
    data = DataConfig(source="amazon_reviews", dir=str(tmp_path), fallback="none")
    with pytest.raises(InputError, match="Looked in: ") as caught:
        sources.load_corpus(data)
    assert str(tmp_path) in str(caught.value)
    assert "EASYMFT_DATA_DIR" in str(caught.value)
    assert "no network" in str(caught.value)


def test_the_sample_is_no_stand_in_for_pairs():
    with pytest.raises(InputError, match="multi_nli_genre was not found"):
        sources.load_corpus(DataConfig(source="multi_nli_genre", fallback="sample"))


def test_tfds_is_asked_where_no_folder_has_it(monkeypatch):
    asked = []

    def answer(name, columns, splits=None, probe=None, on_bad_row="error"):
        asked.append((name, columns.text_pair, splits, on_bad_row))
        return sources.sample.read_sample()

    monkeypatch.setattr(sources, "read_tfds", answer)
    sources.load_corpus(DataConfig(source="multi_nli_genre"))
    sources.load_corpus(DataConfig(source="tfds:imdb_reviews/plain_text", on_bad_row="skip"))
    assert asked == [
        ("multi_nli_genre", "text_pair", {"train": "train", "dev_matched": "test"}, "error"),
        ("imdb_reviews/plain_text", None, None, "skip"),
    ]


def test_limit_and_pairs(tmp_path, monkeypatch):
    write_pairs(tmp_path / "multi_nli" / "multinli_1.0")
    monkeypatch.setenv("EASYMFT_DATA_DIR", str(tmp_path))
    corpus = sources.load_corpus(DataConfig(source="multi_nli_genre", limit_per_domain=4))
    assert len(corpus) == 8
    assert corpus.notes[-1] == "limited to 4 texts per domain: 8 of 12"


def test_snippets_come_from_a_folder_or_the_package(tmp_path, monkeypatch):
    folder = tmp_path / "package" / "additional_resources"
    folder.mkdir(parents=True)
    write_snippets(folder / "hutto_ICWSM_2014.tar.gz")
    monkeypatch.setattr(sources.fetch, "package_folder", lambda name: tmp_path / "package")
    assert len(sources.load_corpus(DataConfig(source="snippets"))) == 8
    own = tmp_path / "own"
    own.mkdir()
    write_snippets(own / "hutto_ICWSM_2014.tar.gz", tweet="1\t4\tyes\n2\t-4\tno\n3\t4\tyes!\n")
    assert len(sources.load_corpus(DataConfig(source="snippets", dir=str(own)))) == 9


def test_an_unknown_source_names_the_nearest():
    with pytest.raises(InputError, match=r"tfds:NAME.*did you mean 'amazon_reviews'\?"):
        sources.load_corpus(DataConfig(source="amazon_review"))


@pytest.mark.long
def test_importing_the_package_loads_neither_tfds_nor_tensorflow_but_registers():
    code = (
        "import sys, easymft.data.sources.load\n"
        "heavy = {'tensorflow', 'tensorflow_datasets', 'keras'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import tensorflow_datasets as tfds\n"
        "print(tfds.builder_cls('amazon_reviews').__module__)\n"
        "print(tfds.builder_cls('multi_nli_genre').__module__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["easymft.data.sources.builders"] * 2
