"""The data of one run: read, tokenized, split and checked, each once."""

import dataclasses
import functools
import logging
from typing import Any

import numpy as np

from easymft.config import Config
from easymft.data.batches.tokenized import TokenizedTexts, corpus_fingerprint, tokenize
from easymft.data.corpus.label_noise import flip_labels
from easymft.data.corpus.label_sets import Found, label_sets
from easymft.data.corpus.leaks import drop_leaks
from easymft.data.corpus.parts import TRAINING_PARTS, joined_rows
from easymft.data.corpus.pieces import Pieces
from easymft.data.corpus.schema import Corpus
from easymft.data.corpus.splits import Splits, load_splits, make_splits, save_splits
from easymft.data.corpus.validation import validate
from easymft.data.corpus.validation_report import Report
from easymft.data.corpus.word_pieces import WordPieces
from easymft.data.sources import packed
from easymft.data.sources.load import load_corpus
from easymft.errors import InputError
from easymft.fetch.cache import cache_dir
from easymft.runs.folder import RunFolder

logger = logging.getLogger(__name__)


class RunData:
    """Corpus, tokens and splits of a run, read when first asked for.

    Args:
        config: The complete recipe.
        folder: Where the splits are kept.
        word_pieces: See `easymft.runs.untrained_run.UntrainedRun`.
    """

    def __init__(self, config: Config, folder: RunFolder, word_pieces: WordPieces | None = None):
        self.config = config
        self.folder = folder
        self._word_pieces = word_pieces

    @functools.cached_property
    def corpus(self) -> Corpus:
        """Read the recipe's corpus; what there is to say of it is logged."""
        corpus = load_corpus(self.config.data)
        if corpus.is_sample:
            logger.warning("WARNING: this is the bundled sample, not a real corpus.")
        for note in corpus.notes:
            logger.info("%s", note)
        return corpus

    @property
    def has_preprocessor(self) -> bool:
        """Whether texts can be read; a packed corpus is for machines that need not be able to."""
        return self.config.data.source != packed.NAME

    @functools.cached_property
    def preprocessor(self) -> Any:
        """From strings to the encoder's inputs; see `load_preprocessor`."""
        from easymft.models.tokenizer import load_preprocessor  # starts Keras

        return load_preprocessor(self.config.backbone.preset, self.config.backbone.max_length)

    @functools.cached_property
    def tokens(self) -> TokenizedTexts:
        """Tokenize the corpus, or read it where it is packed."""
        data, max_length = self.config.data, self.config.backbone.max_length
        if not self.has_preprocessor:
            return packed.read_tokens(data.dir, max_length, len(self.corpus))
        return tokenize(self.corpus, self.preprocessor, max_length, cache_dir() / "tokens")

    @functools.cached_property
    def pieces(self) -> Pieces:
        """Count the encoder's word pieces of every text."""
        if self._word_pieces is None:
            return self.tokens.pieces
        return self._word_pieces.of_corpus(self.corpus, self.config.backbone.max_length)

    @functools.cached_property
    def training_tokens(self) -> TokenizedTexts:
        """The tokens with the labels that training sees: wrong ones too, if the recipe asks."""
        share = self.config.data.label_noise
        if not share:
            return self.tokens
        labels = np.array(self.tokens.labels)
        rows = np.concatenate([rows for part, rows in self.splits.items() if "train" in part])
        labels[rows] = flip_labels(labels[rows], self.num_classes, share, self.config.seed)
        return dataclasses.replace(self.tokens, labels=labels)

    @property
    def flipped(self) -> np.ndarray:
        """Whether a training text was given a wrong label, in the order of `splits["train"]`."""
        rows = self.splits["train"]
        return self.training_tokens.labels[rows] != self.tokens.labels[rows]

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of texts, labels and domains."""
        return corpus_fingerprint(self.corpus)

    @functools.cached_property
    def label_sets(self) -> Found | None:
        """The classes of each domain, `None` for all; `None` where the recipe says nothing of it.

        Raises:
            InputError: The recipe names a domain or class that the corpus does not have, or a text
                is not of the classes that its domain is said to have.
        """
        asked = self.config.data.label_sets
        rows = joined_rows(self.splits, TRAINING_PARTS) if asked == "found" else np.array([], int)
        return label_sets(asked, self.corpus, rows)

    @property
    def num_classes(self) -> int:
        """Return the number of classes."""
        return len(self.corpus.labels)

    @property
    def num_domains(self) -> int:
        """Return the number of domains."""
        return len(self.corpus.domains)

    def checked_splits(self) -> tuple[Splits, int, Report]:
        """Cut the corpus anew: splits, how many repeated texts were dropped, what was found."""
        corpus, given = self.corpus, None
        if corpus.given_splits() is not None:
            given = corpus.table["split"].to_pylist()
        splits = make_splits(
            corpus.codes("label"),
            corpus.codes("domain"),
            self._ids,
            self.config.data.split,
            self.config.seed,
            domain_names=corpus.domains,
            label_names=corpus.labels,
            given=given,
        )
        splits, dropped = drop_leaks(corpus, splits)
        needs_pair = self.config.data.columns.text_pair is not None
        report = validate(corpus, splits, needs_pair, self.pieces, dropped)
        return splits, sum(dropped.values()), report

    def save_splits(self, splits: Splits) -> None:
        """Write the ids of the splits into the run folder."""
        save_splits(self.folder.splits, splits, self._ids)

    def check_unchanged(self) -> None:
        """Raise `InputError` if the data are no longer those that the run began with."""
        if self.folder.facts("validate")["fingerprint"] != self.fingerprint:
            raise InputError(
                "the data changed since this run began; `--restart` begins anew",
                file=self.folder.path,
            )

    @functools.cached_property
    def splits(self) -> Splits:
        """The splits that the run began with.

        Raises:
            InputError: The data are no longer those it began with.
        """
        self.check_unchanged()
        return load_splits(self.folder.splits, self._ids)

    def rows_of(self, split: str, domain: int | None = None) -> np.ndarray:
        """Rows of one domain, or of all; with those kept for later of one not met before."""
        rows = joined_rows(self.splits, (split, f"left_out_{split}"))
        return rows if domain is None else rows[self.corpus.codes("domain")[rows] == domain]

    @functools.cached_property
    def _ids(self) -> list[str]:
        return self.corpus.table["id"].to_pylist()
