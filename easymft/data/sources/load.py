"""Where a corpus comes from: `data.source` of the recipe."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from easymft.config import Columns, DataConfig
from easymft.data import sample
from easymft.data.corpus.intake import OnBadRow
from easymft.data.corpus.schema import Corpus, limit_per_domain
from easymft.data.sources import amazon_reviews, multi_nli_genre, own_files, packed, snippets
from easymft.data.sources.corrections import corrected
from easymft.data.sources.hugging_face import HF_PREFIX, read_hugging_face
from easymft.data.sources.tfds_source import TFDS_PREFIX, read_tfds
from easymft.errors import InputError, did_you_mean, shown
from easymft.fetch import packages as fetch

DATA_DIR_VARIABLE = "EASYMFT_DATA_DIR"


def load_corpus(data: DataConfig) -> Corpus:
    """Read the corpus that the recipe's `data` section asks for.

    Args:
        data: The section.

    Returns:
        The corpus, with `data.corrections` and cut to `data.limit_per_domain` texts of each domain
        where these are set.

    Raises:
        InputError: The corpus is nowhere to be had, or something in it cannot be used.
    """
    source = data.source
    if source == packed.NAME and data.corrections is not None:
        message = "come too late for a packed corpus; pack it with them"
        raise InputError(message, field="data.corrections")
    if source.startswith(TFDS_PREFIX):
        corpus = read_tfds(
            source.removeprefix(TFDS_PREFIX), data.columns, on_bad_row=data.on_bad_row
        )
    elif source.startswith(HF_PREFIX):
        corpus = read_hugging_face(
            source.removeprefix(HF_PREFIX), data.columns, on_bad_row=data.on_bad_row
        )
    elif source in _READERS:
        corpus = _READERS[source](data)
    else:
        known = ", ".join([*_READERS, "tfds:NAME", "hf:NAME"])
        raise InputError(
            f"no such source; known: {known}. Received: {shown(source)}"
            f"{did_you_mean(source, _READERS)}",
            field="data.source",
        )
    if data.corrections is not None:
        corpus = corrected(corpus, data.corrections)
    limit = data.limit_per_domain
    return corpus if limit is None else limit_per_domain(corpus, limit)


def _read_amazon_reviews(data: DataConfig) -> Corpus:
    return _read_published(data, amazon_reviews, _from_amazon_tfds)


def _read_multi_nli_genre(data: DataConfig) -> Corpus:
    return _read_published(data, multi_nli_genre, _from_multi_nli_tfds)


def _read_published(
    data: DataConfig, corpus: ModuleType, from_tfds: Callable[[OnBadRow], Corpus]
) -> Corpus:
    """Read a published corpus from `data.dir`, `$EASYMFT_DATA_DIR`, TFDS, or its stand-in."""
    looked = []
    for place in _places(data):
        if folder := corpus.find_folder(place):
            return corpus.read_folder(folder, data.on_bad_row).with_notes(*_passed(looked))
        looked.append(f"{place} (not in it)")
    try:
        return from_tfds(data.on_bad_row).with_notes(*_passed(looked))
    except InputError as error:
        looked.append(str(error).removeprefix("`data.source`: "))
    places = "; ".join(looked)
    if data.fallback == "sample" and corpus is amazon_reviews:
        stand_in = sample.read_sample()
        return stand_in.with_notes(f"{corpus.NAME} was not found. Looked in: {places}")
    raise InputError(
        f"{corpus.NAME} was not found; set `data.dir` or ${DATA_DIR_VARIABLE} to a folder that"
        f" holds its original files. Looked in: {places}",
        field="data.source",
    )


def _from_amazon_tfds(on_bad_row: OnBadRow) -> Corpus:
    return read_tfds(
        amazon_reviews.NAME, Columns(id="id"), probe=amazon_reviews.URL, on_bad_row=on_bad_row
    )


def _from_multi_nli_tfds(on_bad_row: OnBadRow) -> Corpus:
    return read_tfds(
        multi_nli_genre.NAME,
        Columns(text_pair="text_pair", id="id"),
        {"train": "train", "dev_matched": "test"},
        probe=multi_nli_genre.URL,
        on_bad_row=on_bad_row,
    )


def _read_snippets(data: DataConfig) -> Corpus:
    for place in _places(data):
        if archive := snippets.find_archive(place):
            return snippets.read_archive(archive, data.on_bad_row)
    folder = fetch.package_folder(snippets.PACKAGE)
    archive = snippets.find_archive(folder)
    if archive is None:
        message = f"the {snippets.PACKAGE} package holds no {snippets.ARCHIVE}"
        raise InputError(message, file=folder)
    return snippets.read_archive(archive, data.on_bad_row)


def _read_packed(data: DataConfig) -> Corpus:
    if data.dir is None:
        raise InputError("must name the folder that `--mode pack` wrote", field="data.dir")
    return packed.read_corpus(data.dir)


def _places(data: DataConfig) -> list[Path]:
    """Return the folders of the user's own to look in, in order."""
    given = (data.dir, os.environ.get(DATA_DIR_VARIABLE))
    # Not `Path.expanduser`, which raises an error of its own where there is no such user.
    return [Path(os.path.expanduser(place)) for place in given if place]


def _passed(looked: list[str]) -> list[str]:
    return [f"looked in vain in {', '.join(looked)}"] if looked else []


_READERS: dict[str, Callable[[DataConfig], Corpus]] = {
    amazon_reviews.NAME: _read_amazon_reviews,
    multi_nli_genre.NAME: _read_multi_nli_genre,
    snippets.NAME: _read_snippets,
    packed.NAME: _read_packed,
    sample.NAME: lambda data: sample.read_sample(),
    own_files.NAME: own_files.read_files,
}
