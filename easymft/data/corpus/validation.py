"""What is checked before anything trains.

Errors are what would make results wrong: texts that are empty, classes or domains in dev or test
that training never shows, a class tested in a domain whose training texts lack it. Warnings are
what makes them weak: few training texts in a domain-class cell (or none, where none is tested
either), a class of one domain only, a single domain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from easymft.config.method import META_LEARNER
from easymft.data.corpus.schema import SPLITS, Corpus
from easymft.data.corpus.validation_report import Report, count_rows, length_rows
from easymft.errors import Problems

MIN_CELL = 5

Splits = dict[str, np.ndarray]
# Parts of a split with a domain left out of meta-learning; the domain trains on its own later.
_TRAIN, _HELD_OUT = ("train", "left_out_train"), ("dev", "left_out_dev", "test")


@dataclass
class Findings:
    """Errors and warnings, in the order found."""

    problems: Problems = field(default_factory=Problems)
    warnings: list[str] = field(default_factory=list)


def validate(
    corpus: Corpus,
    splits: Splits,
    pair_required: bool = False,
    lengths: np.ndarray | None = None,
) -> Report:
    """Check a corpus and its splits; see the module's text for what is an error.

    Args:
        corpus: The corpus.
        splits: Row numbers under train, dev and test (and left_out_train, left_out_dev: a
            domain that the meta-learner is not to see).
        pair_required: Whether the recipe is for pairs of texts.
        lengths: Number of word pieces of every row, `(rows,)`; words are counted without it.

    Returns:
        Problems, warnings and the two tables.
    """
    findings = check(corpus, splits)
    if pair_required and not corpus.is_pair:
        findings.problems.add(
            "the recipe is for pairs of texts and the corpus has none; name the column of the"
            " second text",
            field="data.columns.text_pair",
        )
    parts = [*SPLITS, *(name for name in splits if name not in SPLITS)]
    measured = _word_counts(corpus) if lengths is None else np.asarray(lengths)
    return Report(
        problems=findings.problems,
        warnings=tuple(findings.warnings),
        counts=count_rows(_counts(corpus, splits, parts), corpus.domains, corpus.labels, parts),
        lengths=length_rows(measured, corpus.codes("domain"), corpus.domains),
        length_unit="words" if lengths is None else "word pieces",
    )


def check(corpus: Corpus, splits: Splits) -> Findings:
    """What `validate` finds that does not depend on the recipe."""
    findings = Findings()
    _check_texts(corpus, findings)
    if not len(splits["train"]):
        findings.problems.add("no training texts", field="data.split")
        return findings
    _check_unknown(corpus, splits, findings)
    _check_cells(corpus, splits, findings)
    return findings


def drop_leaks(corpus: Corpus, splits: Splits) -> tuple[Splits, int]:
    """Take texts of dev and test out of training, and texts of test out of dev.

    Two texts (pairs) are the same when they differ at most by case, white space or Unicode
    composition; labels and domains do not matter.

    Returns:
        The smaller splits, in the order they were, and how many texts were taken out.
    """
    keys = _text_keys(corpus)
    held_out = keys[_rows(splits, _HELD_OUT)]
    tested = keys[splits["test"]]
    kept, dropped = {}, 0
    for part, rows in splits.items():
        others = {"train": held_out, "left_out_train": held_out, "test": tested[:0]}
        repeated = np.isin(keys[rows], others.get(part, tested))
        kept[part] = rows[~repeated]
        dropped += int(repeated.sum())
    return kept, dropped


def _check_texts(corpus: Corpus, findings: Findings) -> None:
    for column in corpus.text_columns:
        blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(corpus.table[column])), 0)
        rows = pc.indices_nonzero(pc.fill_null(blank, True))
        for row in rows[: Problems.MAX_SHOWN].to_pylist():
            _add(findings, corpus, row, "is empty", column)
        findings.problems.count += max(len(rows) - Problems.MAX_SHOWN, 0)
    if len(corpus.labels) < 2:
        message = f"a classifier needs two classes or more. Received: {list(corpus.labels)}"
        findings.problems.add(message, field="data.columns.label")
    if META_LEARNER in corpus.domains:
        message = f"a domain cannot be called {META_LEARNER!r}, as the model of all domains is"
        findings.problems.add(message, field="data.columns.domain")


def _check_unknown(corpus: Corpus, splits: Splits, findings: Findings) -> None:
    """Classes and domains of dev and test that no training text has."""
    train = _rows(splits, _TRAIN)
    for column, names in (("label", corpus.labels), ("domain", corpus.domains)):
        codes = corpus.codes(column)
        known = np.isin(np.arange(len(names)), codes[train])
        for part in _HELD_OUT:
            rows = splits.get(part, train[:0])
            unknown, counts = np.unique(codes[rows[~known[codes[rows]]]], return_counts=True)
            for code, count in zip(unknown, counts, strict=True):
                message = f"{column} {names[code]!r} of a {part} text is in no training text"
                if count > 1:
                    message += f"; {count:,} such texts, of which this is the first"
                _add(findings, corpus, rows[codes[rows] == code].min(), message, column)


def _check_cells(corpus: Corpus, splits: Splits, findings: Findings) -> None:
    train = _counts(corpus, splits, _TRAIN).sum(axis=-1)
    held_out = _counts(corpus, splits, _HELD_OUT).sum(axis=-1)
    labels_known, domains_known = train.any(axis=0), train.any(axis=1)
    # What training never shows at all has been reported by `_check_unknown`.
    weak = (train < MIN_CELL) & labels_known & domains_known[:, None]
    for domain, label in np.argwhere(weak):
        cell = f"domain {corpus.domains[domain]!r}, class {corpus.labels[label]!r}"
        count = train[domain, label]
        if count:
            few = f"only {count} training text{'s' if count > 1 else ''}"
            findings.warnings.append(f"{cell}: {few}; {MIN_CELL} make a better centroid")
        elif held_out[domain, label]:
            rows = _rows(splits, _HELD_OUT)
            inside = corpus.codes("domain")[rows] == domain
            inside &= corpus.codes("label")[rows] == label
            message = f"{cell}: texts in dev or test (this is the first), none to train on"
            _add(findings, corpus, rows[inside].min(), message, "label")
        else:
            findings.warnings.append(f"{cell}: no texts")
    if domains_known.sum() == 1:
        findings.warnings.append("one domain only: nothing to share between domains")
        return
    for label in np.flatnonzero((train > 0).sum(axis=0) == 1):
        only = corpus.domains[int(np.argmax(train[:, label] > 0))]
        findings.warnings.append(f"class {corpus.labels[label]!r} stands in domain {only!r} only")


def _add(findings: Findings, corpus: Corpus, row: int, message: str, column: str) -> None:
    place = corpus.place(int(row))
    if not place.get("file"):
        message += f" (id {corpus.table['id'][int(row)].as_py()!r})"
    findings.problems.add(message, field=column, **place)


def _rows(splits: Splits, parts: Sequence[str]) -> np.ndarray:
    return np.concatenate([splits[part] for part in parts if part in splits])


def _counts(corpus: Corpus, splits: Splits, parts: Sequence[str]) -> np.ndarray:
    """Number of texts, `(domains, classes, parts)`."""
    shape = (len(corpus.domains), len(corpus.labels))
    cells = corpus.codes("domain") * shape[1] + corpus.codes("label")
    present = [cells[splits[part]] if part in splits else cells[:0] for part in parts]
    counts = [np.bincount(part, minlength=shape[0] * shape[1]) for part in present]
    return np.stack(counts, axis=-1).reshape(*shape, len(parts))


def _word_counts(corpus: Corpus) -> np.ndarray:
    counts = [pc.count_substring_regex(corpus.table[c], r"\S+") for c in corpus.text_columns]
    return np.sum([count.fill_null(0).to_numpy() for count in counts], axis=0)


def _text_keys(corpus: Corpus) -> np.ndarray:
    """One integer per distinct normalised text (pair), `(rows,)`."""
    normal = [_normalise(corpus.table[column]) for column in corpus.text_columns]
    joined = pc.binary_join_element_wise(*normal, "\x1f") if len(normal) > 1 else normal[0]
    return joined.combine_chunks().dictionary_encode().indices.to_numpy()


def _normalise(column: pa.ChunkedArray) -> pa.ChunkedArray:
    folded = pc.utf8_lower(pc.utf8_normalize(pc.fill_null(column, ""), "NFC"))
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(folded, r"[\s\p{Z}]+", " "))
