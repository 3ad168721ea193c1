"""From a user's texts to tokens and codes: the tokenizer and the names that a model keeps."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np

from easymft.data.batches.tokenized import TokenizedTexts, tokenized
from easymft.data.corpus.lists import unlabelled
from easymft.errors import InputError
from easymft.models.raw_texts import RawTexts
from easymft.models.vocabulary import UNKNOWN, Vocabulary

Domains = Literal["known", "given", "free"]
"""Every text must be of a domain that the model knows; of any; or need not be of one."""


@dataclasses.dataclass(frozen=True)
class TextReader:
    """What a model needs to read texts.

    A plain object, so that the tokenizer is no layer of the model that keeps it: it stays out of
    `layers`, of `summary` and of exports.

    Attributes:
        preprocessor: See `easymft.models.load_preprocessor`; `None`: texts cannot be read.
        labels: Of the classes.
        domains: Of the domains.
    """

    preprocessor: Any
    labels: Vocabulary
    domains: Vocabulary

    @contextlib.contextmanager
    def tokens(self, given: RawTexts, labelled: bool, domains: Domains) -> Iterator[TokenizedTexts]:
        """Yield texts tokenized, with codes, while the block runs; nothing stays on disk.

        Args:
            given: The texts.
            labelled: Whether their classes are asked for; 0 stands for each if not.
            domains: What is asked of their domains; `UNKNOWN` stands for one that is none.

        Raises:
            InputError: There is no tokenizer, or a text, class or domain cannot be used.
        """
        if self.preprocessor is None:
            raise InputError(
                "are texts, and the model has no tokenizer; make it by `from_preset`, or with "
                "`preprocessor=load_preprocessor(preset, max_length)`",
                field="x",
            )
        columns = {role: values for role, values in given.columns.items() if role != "domain"}
        codes = self._labels(given, labelled), self._domains(given, domains)
        corpus, _ = unlabelled(columns)
        with tokenized(corpus, self.preprocessor) as tokens:
            yield dataclasses.replace(tokens, labels=codes[0], domains=codes[1])

    def class_weights(self, by_class: Mapping[Any, float], labels: np.ndarray) -> np.ndarray:
        """Return the weight of each text's class, 1 for a class that is not named.

        Args:
            by_class: Weights by code or name.
            labels: `(texts,)` codes.
        """
        weights = np.ones(self.labels.count, np.float32)
        weights[self.labels.codes(list(by_class))] = list(by_class.values())
        return weights[labels]

    def _labels(self, given: RawTexts, labelled: bool) -> np.ndarray:
        if not labelled:
            return np.zeros(len(given), np.int32)
        if given.labels is None:
            raise InputError("must be the classes of the texts. Received: None", field="y")
        return self.labels.codes(given.labels)

    def _domains(self, given: RawTexts, domains: Domains) -> np.ndarray:
        named = given.columns.get("domain")
        if not self.domains.count or (named is None and domains == "free"):
            return np.full(len(given), UNKNOWN, np.int32)
        if named is None:
            raise InputError(
                'must name the domain of each text, as {"text": texts, "domain": domains}',
                field="x",
            )
        return self.domains.codes(named, unknown=domains != "known")


class Typicalities:
    """Scores of texts, found again by text, class and domain, which are all they depend on.

    Args:
        given: The texts.
        tokens: The same, with codes.
        scores: `(texts,)` float32.
    """

    def __init__(self, given: RawTexts, tokens: TokenizedTexts, scores: np.ndarray):
        self._scores = dict(zip(_keys(given, tokens), scores.tolist(), strict=True))

    def of(self, given: RawTexts, tokens: TokenizedTexts) -> np.ndarray:
        """Return the scores of some of the texts, `(texts,)` float32.

        Raises:
            InputError: A text has none.
        """
        found = [self._scores.get(key) for key in _keys(given, tokens)]
        if strangers := sum(score is None for score in found):
            raise InputError(
                f"holds {strangers} of {len(found)} texts that `adapt` did not score, as of this "
                "class and domain; call `adapt` with all texts of `fit`",
                field="x",
            )
        return np.array(found, np.float32)


def _keys(given: RawTexts, tokens: TokenizedTexts) -> Iterator[tuple[Any, ...]]:
    texts = [given.columns[role] for role in ("text", "text_pair") if role in given.columns]
    return zip(*texts, tokens.labels.tolist(), tokens.domains.tolist(), strict=True)
