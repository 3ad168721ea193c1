"""What is checked before anything trains.

Errors are what would make results wrong: texts that are empty, classes or domains in dev or test
that training never shows, a class tested in a domain whose training texts lack it, training texts
without the weight that others have. Warnings are what makes them weak: few training texts in a
domain-class cell (or none, where none is tested either), domains with texts without labels only, a
class of one domain only, a single domain, many texts left out, texts that the encoder cannot read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow.compute as pc

from easymft.config.method import META_LEARNER
from easymft.data.corpus.parts import (
    HELD_OUT_PARTS,
    PARTS,
    TRAINING_PARTS,
    UNLABELED,
    Splits,
    joined_rows,
)
from easymft.data.corpus.pieces import Pieces
from easymft.data.corpus.schema import UNKNOWN, Corpus
from easymft.data.corpus.validation_report import Report, count_rows, length_rows
from easymft.errors import Problems, listed

MIN_CELL = 5
MISSING_NAMES = ("nan", "none", "null", "na", "n/a", "<na>", "nat")
# Shares beyond which it is worth a warning that texts are left out, and that word pieces of a
# domain are unknown: English texts have next to none for an English encoder.
LEFT_OUT_SHARE = 0.05
UNKNOWN_SHARE = 0.1


@dataclass
class Findings:
    """Errors and warnings, in the order found."""

    problems: Problems = field(default_factory=Problems)
    warnings: list[str] = field(default_factory=list)


def validate(
    corpus: Corpus,
    splits: Splits,
    pair_required: bool = False,
    pieces: Pieces | None = None,
    dropped: Mapping[str, int] | None = None,
) -> Report:
    """Check a corpus and its splits; see the module's text for what is an error.

    Args:
        corpus: The corpus.
        splits: Row numbers under train, dev and test (and left_out_train, left_out_dev: a
            domain that the meta-learner is not to see).
        pair_required: Whether the recipe is for pairs of texts.
        pieces: What the tokenizer made of the texts; words are counted without it.
        dropped: Texts that each part lost to `easymft.data.corpus.leaks.drop_leaks`.

    Returns:
        Problems, warnings and the two tables.
    """
    findings = check(corpus, splits, dropped)
    if pair_required and not corpus.is_pair:
        findings.problems.add(
            "the recipe is for pairs of texts and the corpus has none; name the column of the"
            " second text",
            field="data.columns.text_pair",
        )
    unknown = {} if pieces is None else _unknown_shares(corpus, pieces, findings)
    parts = [*PARTS, *(name for name in splits if name not in (*PARTS, UNLABELED))]
    lengths = _word_counts(corpus) if pieces is None else pieces.lengths
    cut = None if pieces is None or not pieces.are_whole else pieces.cut
    return Report(
        problems=findings.problems,
        warnings=tuple(findings.warnings),
        counts=count_rows(_counts(corpus, splits, parts), corpus.domains, corpus.labels, parts),
        lengths=length_rows(lengths, corpus.codes("domain"), corpus.domains, cut),
        length_unit="words" if pieces is None else "word pieces",
        max_length=None if cut is None else pieces.max_length,
        estimated_lengths=0 if pieces is None else pieces.estimated,
        unknown_shares=unknown,
        unlabeled=_unlabeled(corpus, splits),
    )


def check(corpus: Corpus, splits: Splits, dropped: Mapping[str, int] | None = None) -> Findings:
    """Return what `validate` finds that does not depend on the recipe."""
    findings, dropped = Findings(), dropped or {}
    _check_texts(corpus, findings)
    _check_left_out(corpus, splits, dropped, findings)
    _check_missing(corpus, findings)
    repeats = sum(dropped.get(part, 0) for part in TRAINING_PARTS)
    taken_out = f"; {repeats:,} training texts were taken out as they stand in dev or test too"
    hint = taken_out if repeats else ""
    if not len(splits["train"]):
        findings.problems.add(f"no training texts{hint}", field="data.split")
        return findings
    _check_weights(corpus, splits, findings)
    _check_unknown(corpus, splits, findings, hint)
    _check_bare(corpus, splits, findings)
    _check_cells(corpus, splits, findings, hint)
    return findings


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


def _check_left_out(
    corpus: Corpus, splits: Splits, dropped: Mapping[str, int], findings: Findings
) -> None:
    """Warn of rows and texts that many might miss."""
    rows = len(corpus) + corpus.skipped
    if corpus.skipped > LEFT_OUT_SHARE * rows:
        findings.warnings.append(
            f"{corpus.skipped:,} of {rows:,} rows ({corpus.skipped / rows:.0%}) were skipped, as"
            " they cannot be used"
        )
    for part, count in dropped.items():
        texts = len(splits[part]) + count
        if count > LEFT_OUT_SHARE * texts:
            others = "dev or test" if part in (*TRAINING_PARTS, UNLABELED) else "test"
            findings.warnings.append(
                f"{count:,} of {texts:,} {part} texts ({count / texts:.0%}) were taken out, as they"
                f" stand in {others} too"
            )


def _check_missing(corpus: Corpus, findings: Findings) -> None:
    """Warn of names that other programs write where a value is missing."""
    for column, names in (("label", corpus.labels), ("domain", corpus.domains)):
        codes = corpus.codes(column)
        counts = np.bincount(codes[codes != UNKNOWN], minlength=len(names))
        for name, count in zip(names, counts, strict=True):
            if count and name.casefold() in MISSING_NAMES:
                findings.warnings.append(
                    f"{column} {name!r} of {count:,} texts looks like a missing value; leave it"
                    " empty where it is, and the row is refused, or left out with"
                    " data.on_bad_row=skip"
                )


def _check_weights(corpus: Corpus, splits: Splits, findings: Findings) -> None:
    """Find training texts without a weight where others have one: as numbers they would be NaN."""
    if "typicality" not in corpus.table.column_names:
        return
    rows = joined_rows(splits, TRAINING_PARTS)
    missing = rows[corpus.table["typicality"].is_null().to_numpy()[rows]]
    if len(missing):
        message = f"{len(missing):,} training texts have no weight; this is the first"
        _add(findings, corpus, missing.min(), message, "weight")


def _unknown_shares(corpus: Corpus, pieces: Pieces, findings: Findings) -> dict[str, float]:
    """Return the share of unknown word pieces by domain, and warn of much that cannot be read."""
    shares = pieces.unknown_shares(corpus.codes("domain"), len(corpus.domains))
    by_domain = dict(zip(corpus.domains, shares.tolist(), strict=True))
    if unread := [name for name, share in by_domain.items() if share > UNKNOWN_SHARE]:
        most = sorted(unread, key=by_domain.get, reverse=True)
        shown = ", ".join(f"{by_domain[name]:.0%} of {name!r}" for name in most[:5])
        more = f" and of {len(most) - 5:,} more domains" if len(most) > 5 else ""
        findings.warnings.append(
            f"the encoder's vocabulary lacks {shown}{more}, counted in word pieces (more than"
            f" {UNKNOWN_SHARE:.0%} is warned of): it reads them as unknown; is it for texts in this"
            " language and script? See backbone.preset"
        )
    return by_domain


def _check_unknown(corpus: Corpus, splits: Splits, findings: Findings, hint: str) -> None:
    """Find classes and domains of dev and test that no training text has."""
    train = joined_rows(splits, TRAINING_PARTS)
    for column, names in (("label", corpus.labels), ("domain", corpus.domains)):
        codes = corpus.codes(column)
        known = np.isin(np.arange(len(names)), codes[train])
        if column == "domain":
            known |= _without_labels_only(corpus, splits)
        for part in HELD_OUT_PARTS:
            rows = splits.get(part, train[:0])
            unknown, counts = np.unique(codes[rows[~known[codes[rows]]]], return_counts=True)
            for code, count in zip(unknown, counts, strict=True):
                message = f"{column} {names[code]!r} of a {part} text is in no training text"
                if count > 1:
                    message += f"; {count:,} such texts, of which this is the first"
                first = rows[codes[rows] == code].min()
                _add(findings, corpus, first, message + hint, column)


def _without_labels_only(corpus: Corpus, splits: Splits) -> np.ndarray:
    """Return which domains have texts without labels and none with, to learn from: bool `(K,)`."""
    codes, domains = corpus.codes("domain"), np.arange(len(corpus.domains))
    train, bare = joined_rows(splits, TRAINING_PARTS), splits.get(UNLABELED, np.array([], int))
    return np.isin(domains, codes[bare]) & ~np.isin(domains, codes[train])


def _check_bare(corpus: Corpus, splits: Splits, findings: Findings) -> None:
    """Warn of domains that have texts without labels only."""
    bare = [corpus.domains[code] for code in np.flatnonzero(_without_labels_only(corpus, splits))]
    if bare:
        word = "domain" if len(bare) == 1 else "domains"
        findings.warnings.append(
            f"no labels to learn from in {word} {listed(bare)}: others alone teach its classes"
        )


def _check_cells(corpus: Corpus, splits: Splits, findings: Findings, hint: str) -> None:
    """Find domain-class cells with few training texts, or none."""
    train = _counts(corpus, splits, TRAINING_PARTS).sum(axis=-1)
    held_out = _counts(corpus, splits, HELD_OUT_PARTS).sum(axis=-1)
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
            rows = joined_rows(splits, HELD_OUT_PARTS)
            inside = corpus.codes("domain")[rows] == domain
            inside &= corpus.codes("label")[rows] == label
            message = f"{cell}: texts in dev or test (this is the first), none to train on{hint}"
            _add(findings, corpus, rows[inside].min(), message, "label")
        else:
            findings.warnings.append(f"{cell}: no texts")
    if domains_known.sum() == 1:
        if not _without_labels_only(corpus, splits).any():
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


def _counts(corpus: Corpus, splits: Splits, parts: Sequence[str]) -> np.ndarray:
    """Return numbers of texts, `(domains, classes, parts)`."""
    shape = (len(corpus.domains), len(corpus.labels))
    cells = corpus.codes("domain") * shape[1] + corpus.codes("label")
    present = [cells[splits[part]] if part in splits else cells[:0] for part in parts]
    counts = [np.bincount(part, minlength=shape[0] * shape[1]) for part in present]
    return np.stack(counts, axis=-1).reshape(*shape, len(parts))


def _unlabeled(corpus: Corpus, splits: Splits) -> dict[str, int]:
    """Return the number of texts without labels by domain."""
    codes = corpus.codes("domain")[splits.get(UNLABELED, np.array([], int))]
    counts = np.bincount(codes, minlength=len(corpus.domains))
    return dict(zip(corpus.domains, counts.tolist(), strict=True))


def _word_counts(corpus: Corpus) -> np.ndarray:
    counts = [pc.count_substring_regex(corpus.table[c], r"\S+") for c in corpus.text_columns]
    return np.sum([count.fill_null(0).to_numpy() for count in counts], axis=0)
