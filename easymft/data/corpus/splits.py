"""Splits: which texts train, which choose, which test. numpy only.

A split depends on the texts' ids, names of domains and classes, and the seed, never on the order
of the rows: every domain-class cell is put in one random order, and parts are cut from its front.
"""

import collections
import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from easymft import files
from easymft.data.corpus.cells import Cells, apportion, joined
from easymft.data.corpus.parts import LEFT_OUT_PARTS, PARTS, UNLABELED, Splits
from easymft.data.corpus.rows import to_name
from easymft.errors import InputError, did_you_mean, listed

if TYPE_CHECKING:
    from easymft.config import FewShot, Split

# (train, dev, test) of the paper's Amazon experiment, per domain.
PAPER_SIZES = {
    "books": (1763, 120, 117),
    "dvd": (1752, 120, 128),
    "electronics": (1729, 144, 127),
    "kitchen": (1756, 119, 125),
}
# Taken where a domain has too few texts for the number of dev or test texts asked for.
SHARE_OF_SMALL_DOMAINS = 0.1

_log = logging.getLogger(__name__)


def make_splits(
    labels: np.ndarray,
    domains: np.ndarray,
    ids: Sequence[str],
    config: "Split",
    seed: int,
    *,
    domain_names: Sequence[str],
    label_names: Sequence[str],
    given: Sequence[str | None] | None = None,
) -> Splits:
    """Cut a corpus into train, dev and test, stratified by domain and class.

    Kinds (`config.kind`): `seeded` takes `dev` and `test` as shares of every domain-class cell
    (a cell of three texts or more has at least one in each part), or as numbers of texts per
    domain. `folds` cuts every cell into `config.folds` equal parts, of which the run's seed picks
    the one that tests (seed 1 the first; beyond the last it begins anew); `dev` is cut from the
    others. `paper` takes the paper's sizes. `given` keeps the corpus's own split; a text without
    one trains, and a missing dev or test part is cut from train as in `seeded`. `saved` reads
    ids from `config.ids`; texts it does not name stay unused. `auto`: given, paper or seeded,
    the first that applies.

    `few_shot` keeps a part of each training cell, at least one text; the smaller parts of one
    seed lie inside the larger. `leave_out` takes a domain's train and dev texts out and returns
    them as `left_out_train` and `left_out_dev`; `few_shot` then thins `left_out_train` alone,
    since the other domains have their data. With `left_out` "unlabeled" the train texts are part
    `unlabeled` instead, and `few_shot` thins the other domains. With its `rest` the texts that it
    takes out are part `unlabeled` too.

    Args:
        labels: int array `(texts,)`, codes into `label_names`; -1: none, part `unlabeled`.
        domains: int array `(texts,)`, codes into `domain_names`.
        ids: `(texts,)` unique ids.
        config: The recipe's `data.split`.
        seed: Seed of the run. Where `config.seed` is set, that cuts, and this thins only.
        domain_names: Names of the domains.
        label_names: Names of the classes.
        given: `(texts,)` of "train", "dev", "test" or None, where the corpus has a split.

    Returns:
        Sorted row numbers by part.

    Raises:
        InputError: The kind does not fit the corpus, or a part of it cannot be used.
    """
    kind, labels = config.kind, np.asarray(labels)
    if kind != "saved" and len(unlabeled := np.flatnonzero(labels < 0)):
        rows = np.flatnonzero(labels >= 0)
        splits = make_splits(
            labels[rows],
            np.asarray(domains)[rows],
            np.asarray(ids)[rows],
            config,
            seed,
            domain_names=domain_names,
            label_names=label_names,
            given=None if given is None else np.asarray(given, object)[rows].tolist(),
        )
        splits = {part: rows[own] for part, own in splits.items()}
        rest = splits.get(UNLABELED, unlabeled[:0])
        return {**splits, UNLABELED: np.sort(np.concatenate([rest, unlabeled]))}
    own_seed = 0 if kind == "folds" else seed
    split_seed = own_seed if config.seed is None else config.seed
    cells = Cells(labels, domains, ids, split_seed, domain_names, label_names)
    has_given = given is not None and any(value for value in given)
    if kind == "auto":
        kind = "given" if has_given else "paper" if _paper_fits(cells) else "seeded"
    if kind == "saved":
        splits = load_splits(config.ids, ids)
    elif kind == "given":
        if not has_given:
            raise InputError(
                "kind `given` needs a corpus with a split; map its column in "
                "`data.columns.split`, or take kind `seeded`",
                field="data.split.kind",
            )
        splits = _given(cells, given, config)
    elif kind == "paper":
        splits = _paper(cells)
    elif kind == "folds":
        splits = _fold(cells, config, (seed - 1) % config.folds)
    else:
        splits = _cut(cells, cells.rows, lambda name: (config.dev, config.test))
    thinned = "train"
    if config.leave_out is not None:
        splits, thinned = _leave_out(cells, splits, config.leave_out), "left_out_train"
        if config.left_out == "unlabeled":
            splits, thinned = _without_labels(splits, "left_out_train"), "train"
    if config.few_shot is not None:
        # By the run's own seed: runs tested on the same texts still learn from samples of theirs.
        drawn = Cells(labels, domains, ids, seed, domain_names, label_names)
        whole = splits[thinned]
        splits[thinned] = _thin(drawn, whole, config.few_shot)
        if config.few_shot.rest == "unlabeled":
            rest = np.setdiff1d(whole, splits[thinned])
            splits[UNLABELED] = joined([splits.get(UNLABELED, rest[:0]), rest])
    return {part: np.sort(rows) for part, rows in splits.items()}


def save_splits(path: str | os.PathLike, splits: Splits, ids: Sequence[str]) -> None:
    """Write the parts as lists of ids (JSON), all or nothing."""
    ids = np.asarray(ids)
    files.write_json(path, {part: ids[rows].tolist() for part, rows in splits.items()})


def load_splits(path: str | os.PathLike, ids: Sequence[str]) -> Splits:
    """Read parts written by `save_splits` and find their rows.

    Args:
        path: The JSON file.
        ids: `(texts,)` unique ids of the corpus.

    Raises:
        InputError: The file is not such a file, or names an id twice or one the corpus lacks.
    """
    try:
        saved = files.read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).split("\n")[0]
        raise InputError(f"is not a readable splits file: {reason}", file=path) from error
    known = isinstance(saved, dict) and {*PARTS} <= {*saved} <= {*PARTS, *LEFT_OUT_PARTS, UNLABELED}
    if not known or not all(isinstance(ids_, list) for ids_ in saved.values()):
        raise InputError(
            f"must hold a list of ids under each of {list(PARTS)}, and under nothing else but "
            f"{[*LEFT_OUT_PARTS, UNLABELED]}",
            file=path,
        )
    row_of = {id_: row for row, id_ in enumerate(np.asarray(ids).tolist())}
    # Exactly where it is exact: ids made of a file's name may have a space around them.
    saved = {
        part: [id_ if isinstance(id_, str) and id_ in row_of else to_name(id_) for id_ in part_ids]
        for part, part_ids in saved.items()
    }
    named = [id_ for part_ids in saved.values() for id_ in part_ids]
    unknown = [id_ for id_ in named if id_ not in row_of]
    if unknown:
        raise InputError(
            f"names {len(unknown)} ids that the corpus does not have; give the splits of this "
            f"corpus. Received: {listed(unknown[:3])}",
            file=path,
        )
    twice = [id_ for id_, count in collections.Counter(named).items() if count > 1]
    if twice:
        raise InputError(f"names ids more than once. Received: {listed(twice[:3])}", file=path)
    rows = {part: [row_of[id_] for id_ in part_ids] for part, part_ids in saved.items()}
    return {part: np.sort(np.array(numbers, np.int64)) for part, numbers in rows.items()}


def _cut(cells: Cells, rows: np.ndarray, shares: Callable[[str], tuple]) -> Splits:
    """Cut dev and test, as `shares(domain)` says, from the front of every cell of `rows`."""
    parts = {part: [] for part in PARTS}
    for name, classes in cells.by_domain(rows, "split"):
        sizes = np.array([len(cell) for cell in classes])
        dev, test = _counts(sizes, *shares(name), name)
        for cell, d, t in zip(classes, dev, test, strict=True):
            parts["test"].append(cell[:t])
            parts["dev"].append(cell[t : t + d])
            parts["train"].append(cell[t + d :])
    return {part: joined(arrays) for part, arrays in parts.items()}


def _fold(cells: Cells, config: "Split", fold: int) -> Splits:
    """Cut one of `config.folds` parts of every domain as test, and dev from the rest."""
    tested = []
    for _, classes in cells.by_domain(cells.rows, "folds"):
        # Dealt out like cards, class after class, so that no fold gets all the remainders.
        dealt = joined(classes)
        tested.append(dealt[fold :: config.folds])
    test = joined(tested)
    rest = np.setdiff1d(cells.rows, test)
    if not len(rest) or not len(test):
        raise InputError(
            f"has too few texts for {config.folds} folds. Received: {len(cells.rows)}",
            field="data.split.folds",
        )
    return {**_cut(cells, rest, lambda name: (config.dev, 0)), "test": test}


def _counts(sizes, dev: float, test: float, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers of dev and test texts of a domain's classes; one text of each trains."""
    if sum(share for share in (dev, test) if share >= 1) >= sizes.sum():
        _log.warning(
            "domain %s has only %d texts to take dev=%s and test=%s from: a share of %s is taken",
            *(name, sizes.sum(), dev, test, SHARE_OF_SMALL_DOMAINS),
        )
        dev, test = (SHARE_OF_SMALL_DOMAINS if share >= 1 else share for share in (dev, test))
    dev, test = _class_counts(sizes, dev), _class_counts(sizes, test)
    test = np.minimum(test, np.maximum(sizes - 1 - (dev > 0), 0))
    dev = np.minimum(dev, np.maximum(sizes - 1 - test, 0))
    return dev, test


def _class_counts(sizes: np.ndarray, share: float) -> np.ndarray:
    if share >= 1:
        return apportion(int(share), sizes)
    counts = np.floor(share * sizes + 0.5).astype(int)
    return np.maximum(counts, (sizes >= 3) & (share > 0))


def _paper_fits(cells: Cells) -> bool:
    codes, counts = np.unique(cells.domains, return_counts=True)
    found = {cells.domain_name(code): count for code, count in zip(codes, counts, strict=True)}
    return found == {name: sum(sizes) for name, sizes in PAPER_SIZES.items()}


def _paper(cells: Cells) -> Splits:
    if not _paper_fits(cells):
        expected = ", ".join(f"{sum(sizes)} {name}" for name, sizes in PAPER_SIZES.items())
        raise InputError(
            f"kind `paper` needs the full corpus ({expected}); take kind `auto` or `seeded`. "
            f"Received: {len(cells.rows)} texts of {listed(cells.domain_names)}",
            field="data.split.kind",
        )
    return _cut(cells, cells.rows, lambda name: PAPER_SIZES[name][1:])


def _given(cells: Cells, given: Sequence[str | None], config: "Split") -> Splits:
    part_of = np.array([value or "train" for value in given], dtype=str)
    unknown = np.setdiff1d(part_of, PARTS)
    if unknown.size:
        raise InputError(
            f"must be one of {list(PARTS)} or empty. Received: {unknown[:3].tolist()}",
            field="split",
        )
    splits = {part: np.flatnonzero(part_of == part) for part in PARTS}
    if not len(splits["train"]):
        raise InputError("the corpus's split has no text in `train`", field="split")
    missing = [part for part in PARTS if not len(splits[part])]
    if missing:
        dev = config.dev if "dev" in missing else 0
        test = config.test if "test" in missing else 0
        cut = _cut(cells, splits["train"], lambda name: (dev, test))
        splits |= {part: cut[part] for part in ("train", *missing)}
    return splits


def _leave_out(cells: Cells, splits: Splits, name: str) -> Splits:
    names, name = list(cells.domain_names), to_name(name) or name
    if name not in names:
        raise InputError(
            f"must be a domain of the corpus ({listed(names)}). Received: {name!r}"
            f"{did_you_mean(name, names)}",
            field="data.split.leave_out",
        )
    left_out = cells.domains == names.index(name)
    result = {part: rows for part, rows in splits.items() if part in ("test", UNLABELED)}
    for part in ("train", "dev"):
        # A saved split may already have a domain left out: all its texts are dealt anew.
        rows = joined([splits[part], splits.get(f"left_out_{part}", np.array([], int))])
        result[part] = rows[~left_out[rows]]
        result[f"left_out_{part}"] = rows[left_out[rows]]
    if not len(result["train"]):
        raise InputError(
            f"no training text is left without {name!r}: the corpus has no other domain",
            field="data.split.leave_out",
        )
    return result


def _without_labels(splits: Splits, part: str) -> Splits:
    """Move the texts of a part to those without labels."""
    rows = splits[part]
    unlabeled = joined([splits.get(UNLABELED, rows[:0]), rows])
    return {**splits, part: rows[:0], UNLABELED: unlabeled}


def _thin(cells: Cells, rows: np.ndarray, few_shot: "FewShot") -> np.ndarray:
    kept = []
    for _, classes in cells.by_domain(rows, "few_shot"):
        for cell in classes:
            count = few_shot.per_class or max(1, int(few_shot.fraction * len(cell) + 0.5))
            kept.append(cell[:count])
    return joined(kept)
