"""The TFDS builders on small files written here."""

import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from easymft.config import Columns
from easymft.data.sources import builders
from easymft.data.sources.tfds_source import read_tfds
from easymft.errors import InputError
from tests.data.reading import write_pairs, write_reviews


class AmazonReviewsTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builders.AmazonReviews
    SPLITS = {"train": 16}  # noqa: RUF012 (TFDS's own protocol)
    SKIP_CHECKSUMS = True  # none are published for this archive

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        write_reviews(Path(cls.EXAMPLE_DIR) / "sorted_data_acl")
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.EXAMPLE_DIR)


class MultiNliGenreTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = builders.MultiNliGenre
    SPLITS = {"train": 6, "dev_matched": 6}  # noqa: RUF012 (TFDS's own protocol)

    @classmethod
    def setUpClass(cls):
        cls.EXAMPLE_DIR = tempfile.mkdtemp()
        write_pairs(Path(cls.EXAMPLE_DIR) / "multinli_1.0")
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.EXAMPLE_DIR)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A TFDS folder with the reviews, prepared from a packed archive in `manual_dir`."""
    base = tmp_path_factory.mktemp("tfds")
    write_reviews(base / "made" / "sorted_data_acl")
    (base / "manual").mkdir()
    with tarfile.open(base / "manual" / "domain_sentiment_data.tar.gz", "w:gz") as archive:
        archive.add(base / "made" / "sorted_data_acl", "sorted_data_acl")
    builder = builders.AmazonReviews(data_dir=base / "data")
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=base / "manual")
    )
    return base / "data"


def test_a_packed_archive_in_manual_dir_is_enough(prepared):
    data, info = tfds.load("amazon_reviews", data_dir=prepared, split="train", with_info=True)
    records = {record["id"].decode(): record for record in data.as_numpy_iterator()}
    assert len(records) == 16
    record = records["kitchen/negative/1"]
    assert record["text"].decode() == "negative kitchen_&_housewares text 1"
    assert record["rating"] == 1.0
    assert info.features["label"].int2str(record["label"]) == "negative"
    assert info.features["domain"].int2str(record["domain"]) == "kitchen"


def test_any_tfds_data_set_becomes_a_corpus(prepared, monkeypatch):
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(prepared))
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    corpus = read_tfds("amazon_reviews", Columns(id="id"))
    assert len(corpus) == 16
    assert corpus.labels == ("negative", "positive")
    assert corpus.given_splits() is None
    row = corpus.table["id"].to_pylist().index("dvd/positive/0")
    assert corpus.table["text"][row].as_py() == "positive dvd text 0"
    assert corpus.domains[corpus.codes("domain")[row]] == "dvd"
    with pytest.raises(InputError, match=r"no feature 'body'; features: .*title"):
        read_tfds("amazon_reviews", Columns(text="body"))


def test_an_unknown_data_set_is_an_input_error():
    with pytest.raises(InputError, match=r"knows no such data set\. Received: 'no_such_set'"):
        read_tfds("no_such_set", Columns())


def test_no_network_ends_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(InputError, match=r"localhost:9/ cannot be reached \(.*refused"):
        read_tfds("multi_nli_genre", Columns(), probe="http://localhost:9/")


def test_the_known_checksum_goes_with_the_builder():
    [info] = builders.MultiNliGenre.url_infos.values()
    assert info.filename == "multinli_1.0.zip"
