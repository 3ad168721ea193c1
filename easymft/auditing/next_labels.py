"""Which texts without a label are worth one, and how a budget is split between domains."""

import dataclasses

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans

from easymft.auditing import frozen
from easymft.auditing.material import Material
from easymft.methods import logistic
from easymft.methods.folds import deal

# Texts that are clustered to each that is chosen, the most uncertain ones.
PREFILTER = 10
_PARTS = (0.25, 0.5, 1.0)  # of a domain's labels, on its learning curve
_LEAST_SHARE = 0.5  # of an equal share of the budget, for each domain


@dataclasses.dataclass(frozen=True)
class Curves:
    """Learning curves of domains, error ~ texts ** -exponent.

    Attributes:
        texts: Labelled texts of each domain.
        errors: Cross-validated share of wrong answers of each, with all of them.
        exponent: How fast errors fall, one number for all domains, not below 0.
    """

    texts: np.ndarray
    errors: np.ndarray
    exponent: float

    def after(self, more: np.ndarray) -> np.ndarray:
        """Return the errors to expect with so many more labels in each domain."""
        known = np.maximum(self.texts, 1)
        return self.errors * (known / (known + more)) ** self.exponent


def label_next(material: Material, budget: int, seed: int) -> pd.DataFrame:
    """Return texts without a label that are worth one, a row a text, domain by domain.

    The budget is split by `split_budget`. In each domain the texts whose two most probable classes
    are closest are clustered, each weighted by that, into as many clusters as the domain gets
    labels, and the text nearest to each centre is chosen: uncertain ones, and no two alike
    (Zhdanov: Diverse mini-batch Active Learning, 2019, arXiv 1901.05954).

    Args:
        material: With texts without a label.
        budget: Number of labels.
        seed: Of clusters and folds.

    Returns:
        `id`, `file` and `line` where known, `domain`, `text`, `text_pair` of pairs, `label`
        (empty), `suggested_label`, `why`, and `score`: 1 minus the lead of the most probable class.
    """
    bare, labelled = material.bare_rows, material.rows
    embeddings = material.embeddings.astype(float)
    labels, domains = material.labels, material.domains
    own = embeddings[labelled], labels[labelled], domains[labelled]
    curves = learning_curves(*own, material.shape, material.shrinkage, seed)
    room = np.bincount(domains[bare], minlength=material.shape[0])
    shares = split_budget(curves, room, budget)
    heads = frozen.Heads.fit(*own, material.shape, material.shrinkage)
    probabilities = heads.probabilities(embeddings[bare], domains[bare])
    doubts = 1 - leads(probabilities)
    chosen = []
    for code, count in enumerate(shares):
        own = np.flatnonzero(domains[bare] == code)
        chosen.append(own[diverse(embeddings[bare[own]], doubts[own], int(count), seed)])
    return _table(material, np.concatenate(chosen), probabilities, doubts, curves)


def leads(probabilities: np.ndarray) -> np.ndarray:
    """Return by how much the most probable class leads, `(texts,)`: margin sampling.

    Reference: Scheffer, Decomain, Wrobel: Active Hidden Markov Models for Information Extraction,
    2001.
    """
    two = np.sort(probabilities, axis=1)[:, -2:]
    return two[:, 1] - two[:, 0]


def diverse(embeddings: np.ndarray, weights: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return places of `count` texts of large weight, no two alike.

    Args:
        embeddings: `(texts, hidden)` float.
        weights: `(texts,)` float, not below 0.
        count: How many; all texts where there are no more.
        seed: Of the clusters.
    """
    if count >= len(weights):
        return np.arange(len(weights))
    if count == 0:
        return np.arange(0)
    kept = np.sort(np.argsort(-weights, kind="stable")[: PREFILTER * count])
    norms = np.linalg.norm(embeddings[kept], axis=1, keepdims=True)
    units = embeddings[kept] / np.maximum(norms, 1e-12)
    means = KMeans(count, n_init=1, random_state=seed)
    distances = means.fit_transform(units, sample_weight=np.maximum(weights[kept], 1e-6))
    chosen: list[int] = []
    for cluster in range(count):
        # Texts that are the same may share a centre; each is chosen once.
        order = np.argsort(distances[:, cluster], kind="stable")
        chosen.append(next(int(place) for place in order if place not in chosen))
    return kept[np.sort(chosen)]


def split_budget(curves: Curves, room: np.ndarray, budget: int) -> np.ndarray:
    """Return how many labels each domain gets, int `(domains,)`.

    Each gets at least half of an equal share; of the rest label after label goes to the domain that
    the curves then expect to be the worst, so that the worst becomes as good as it can (Sagawa,
    Koh, Hashimoto, Liang 2020 train for the worst group too). Where curves are flat no label is
    expected to gain anything, and all domains get as many.

    Args:
        curves: What labels have bought so far.
        room: int `(domains,)`, texts without a label.
        budget: Number of labels.
    """
    number = int((room > 0).sum())
    budget = min(budget, int(room.sum()))
    shares = np.zeros(len(room), int)
    if not number:
        return shares
    least = int(budget / number * (_LEAST_SHARE if curves.exponent > 0 else 1))
    shares = np.minimum(room, least)
    for _ in range(budget - int(shares.sum())):
        errors = curves.after(shares) if curves.exponent > 0 else -shares.astype(float)
        shares[np.where(shares < room, errors, -np.inf).argmax()] += 1
    return shares


def learning_curves(
    embeddings: np.ndarray,
    labels: np.ndarray,
    domains: np.ndarray,
    shape: tuple[int, int],
    shrinkage: logistic.Shrinkage,
    seed: int,
) -> Curves:
    """Return the learning curves of a frozen encoder's heads, by five-fold cross-validation.

    Heads are fitted with a quarter, half and all of the training labels of every domain. One
    exponent is fitted to all domains together, in logarithms; a curve of each domain's own would be
    mostly chance. Errors are counted with half a wrong text more, so that none is 0.

    Args:
        embeddings: E(x), `(texts, hidden)` float.
        labels: int `(texts,)`.
        domains: int `(texts,)`.
        shape: Numbers of domains and of classes.
        shrinkage: Of the heads.
        seed: Of folds and parts.

    Reference: Cortes, Jackel, Solla, Vapnik, Denker: Learning Curves: Asymptotic Values and Rate of
    Convergence, NIPS 1993.
    """
    num_domains, num_classes = shape
    every, random = np.arange(len(labels)), np.random.default_rng(seed)
    cells = domains * num_classes + labels
    held_out = [fold for fold in deal(cells, every, logistic.FOLDS, seed) if len(fold)]
    wrong = np.zeros((len(_PARTS), num_domains))
    for fold in held_out:
        train = np.setdiff1d(every, fold)
        order = train[random.permutation(len(train))]
        for number, part in enumerate(_PARTS):
            thinned = _thinned(order, cells, part)
            own = embeddings[thinned], labels[thinned], domains[thinned]
            heads = frozen.Heads.fit(*own, shape, shrinkage)
            answers = heads.probabilities(embeddings[fold], domains[fold]).argmax(axis=1)
            np.add.at(wrong[number], domains[fold], answers != labels[fold])
    texts = np.bincount(domains, minlength=num_domains)
    errors = (wrong + 0.5) / (texts + 1)
    return Curves(texts, errors[-1], _exponent(errors, texts))


def _exponent(errors: np.ndarray, texts: np.ndarray) -> float:
    """Return the fall of errors with texts in logarithms, by least squares over all domains."""
    known = texts > 0
    sizes = np.log(_PARTS)
    logs = np.log(errors[:, known])
    weights = texts[known]
    mean = (logs @ weights) / weights.sum()
    return max(0.0, -float(np.polyfit(sizes, mean, 1)[0]))


def _thinned(order: np.ndarray, cells: np.ndarray, part: float) -> np.ndarray:
    """Return a share of the texts of every cell, one at least."""
    kept = []
    for cell in np.unique(cells[order]):
        own = order[cells[order] == cell]
        kept.append(own[: max(1, round(part * len(own)))])
    return np.sort(np.concatenate(kept))


def _table(
    material: Material,
    chosen: np.ndarray,
    probabilities: np.ndarray,
    doubts: np.ndarray,
    curves: Curves,
) -> pd.DataFrame:
    rows = material.bare_rows[chosen]
    part = material.corpus.take(rows)
    frame = part.table.select(
        [name for name in ("id", "file", "line") if name in part.table.column_names]
    ).to_pandas()
    names = np.array(material.corpus.domains)
    frame["domain"] = names[material.domains[rows]]
    for name in part.text_columns:
        frame[name] = part.table[name].to_pylist()
    frame["label"] = ""
    frame["suggested_label"] = np.array(material.corpus.labels)[
        probabilities[chosen].argmax(axis=1)
    ]
    rights = 100 * (1 - curves.errors)
    frame["why"] = [
        f"uncertain, and unlike the others chosen; {names[code]}: {rights[code]:.0f} % right now"
        for code in material.domains[rows]
    ]
    frame["score"] = doubts[chosen]
    return frame.sort_values(["domain", "score"], ascending=[True, False], ignore_index=True)
