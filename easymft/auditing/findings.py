"""What an audit finds, a row a labelled text."""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import softmax

from easymft.auditing import frozen, trained, words
from easymft.auditing.judgements import Judgements
from easymft.auditing.material import Material
from easymft.auditing.repetitions import groups_of
from easymft.auditing.suspicion import Suspicion, label_issues, suspicion
from easymft.methods import logistic
from easymft.methods.familiarity import familiar, table_of, token_ids_of
from easymft.methods.folds import deal
from easymft.models.label_sets import allowed_classes

_DOUBTFUL = 0.5  # score from which another label is the more probable one
# A sharper line than for labels: texts of two domains may say the same.
_ELSEWHERE = 0.9
_STRANGE = 0.005  # share of texts that are less familiar than any of those of training

WHY_LABEL, WHY_REPEATED, WHY_DOMAIN, WHY_STRANGE = "label", "repetition", "domain", "strange"
KINDS = {
    WHY_LABEL: "may have a wrong label",
    WHY_REPEATED: "stand elsewhere with another label",
    WHY_DOMAIN: "read like texts of another domain",
    WHY_STRANGE: "are unlike all others of their domain",
}
"""What there may be to see in texts, in words."""


def find(material: Material) -> pd.DataFrame:
    """Return what an audit finds, a row a labelled text, most suspicious first.

    Returns:
        `id`, `file` and `line` where known, `domain`, `text`, `text_pair` of pairs, `label`,
        `suggested_label`, `why` (in words; empty: nothing to see), `score` (1 minus the probability
        of the label; see `suspicion`); `kinds` (of `why`: label, repetition, domain, strange); and
        what they rest on: `probability` and `loss` (out-of-fold, of the label), `typicality` and
        `margin` (as a text of its label, and beyond that of any other), `label_issue` (whether
        cleanlab takes the label for wrong), `same_text` (equal numbers for texts that are the same;
        -1: there is no other), `suggested_domain`, `domain_score`, `familiarity`.

    Raises:
        InputError: Too few texts or classes, or a library of the extra `audit` is missing.
    """
    rows, (_, num_classes) = material.rows, material.shape
    labels, domains = material.labels[rows], material.domains[rows]
    groups = groups_of(material.texts(rows), material.config.audit.same_text)
    cells = domains * num_classes + labels
    held_out = list(deal(cells, groups, material.config.audit.folds, material.config.seed))
    held_out = [fold for fold in held_out if len(fold)]
    judged = judge(material, held_out)
    doubt = suspicion(judged, labels)
    elsewhere = _domain_probabilities(material, held_out)
    known = _familiarities(material, held_out)
    frame = _texts(material)
    places = np.arange(len(rows))
    probabilities = np.maximum(judged.probabilities[places, labels], 1e-9)
    frame["suggested_label"] = np.array(material.corpus.labels)[doubt.suggested]
    frame["score"] = doubt.score
    frame["probability"] = probabilities
    frame["loss"] = -np.log(probabilities)
    frame["typicality"] = judged.typicalities[places, labels]
    frame["margin"] = judged.margins(labels)
    frame["label_issue"] = label_issues(judged.probabilities, labels)
    frame["same_text"] = _repeated(groups)
    if elsewhere is not None:
        frame["suggested_domain"] = np.array(material.corpus.domains)[elsewhere.argmax(axis=1)]
        frame["domain_score"] = 1 - elsewhere[places, domains]
    else:
        frame["suggested_domain"], frame["domain_score"] = frame["domain"], 0.0
    frame["familiarity"] = known
    kinds, why = _reasons(frame, doubt)
    frame.insert(list(frame).index("score"), "why", why)
    frame.insert(list(frame).index("score") + 1, "kinds", kinds)
    return frame.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def judge(material: Material, held_out: Sequence[np.ndarray]) -> Judgements:
    """Return out-of-fold judgements, by the method that the recipe's `audit` names."""
    rows = material.rows
    if material.config.audit.method == "mix":
        task = material.task("mix")
        judged = trained.cross_fit(task, material.new_backbone, rows, held_out)
    else:
        judged = frozen.cross_fit(
            *(material.embeddings[rows].astype(float), material.labels[rows]),
            *(material.domains[rows], held_out, material.shape),
            *(material.shrinkage, material.config.mft),
        )
    by_words = words.cross_fit(
        *(material.columns(rows), material.labels[rows]),
        *(material.domains[rows] * material.shape[1] + material.labels[rows], held_out),
        material.shape[1],
    )
    judged = dataclasses.replace(judged, words=by_words)
    if material.label_sets is not None:
        allowed = allowed_classes(material.label_sets, *material.shape)[material.domains[rows]]
        judged.probabilities[~allowed] = 0.0
        judged.typicalities[~allowed] = -np.inf
    return judged


def _domain_probabilities(material: Material, held_out: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return out-of-fold probabilities of each domain, by a linear probe of the frozen encoder."""
    rows, (num_domains, _) = material.rows, material.shape
    domains = material.domains[rows]
    if len(set(domains)) < 2:
        return None
    found = np.zeros((len(rows), num_domains))
    embeddings = material.embeddings[rows].astype(float)
    whole, *_ = logistic.standardized(embeddings)
    strength = logistic.best_strength(whole, domains, domains)
    for fold in held_out:
        train = np.setdiff1d(np.arange(len(rows)), fold)
        features, mean, deviation = logistic.standardized(embeddings[train])
        own = domains[train]
        head = logistic.fit_head(features, own, own, num_domains, strength=strength)
        features = (embeddings[fold] - mean) / deviation
        found[fold] = softmax(features @ head.kernel + head.bias, axis=1)
    return found


def _familiarities(material: Material, held_out: Sequence[np.ndarray]) -> np.ndarray:
    """Return how much each text is like those of the other folds, float `(texts,)`."""
    rows, table = material.rows, table_of(material.backbone)
    found = np.zeros(len(rows), np.float32)
    for fold in held_out:
        others = np.delete(rows, fold)
        known = familiar(table, material.tokens, others, material.corpus.domains, material.shape[1])
        asked = rows[fold]
        texts = token_ids_of(material.tokens, asked)
        found[fold] = known.of_packed(table, texts, material.domains[asked])
    return found


def _texts(material: Material) -> pd.DataFrame:
    part = material.corpus.take(material.rows)
    names = [name for name in ("id", "file", "line") if name in part.table.column_names]
    frame = part.table.select(names).to_pandas()
    frame["domain"] = np.array(material.corpus.domains)[material.domains[material.rows]]
    for name in part.text_columns:
        frame[name] = part.table[name].to_pylist()
    frame["label"] = np.array(material.corpus.labels)[material.labels[material.rows]]
    return frame


def _repeated(groups: np.ndarray) -> np.ndarray:
    """Return the groups' numbers, -1 for texts that are alone in theirs."""
    return np.where(np.bincount(groups)[groups] > 1, groups, -1)


def _reasons(frame: pd.DataFrame, doubt: Suspicion) -> tuple[list[str], list[str]]:
    """Return the kinds of what is to be looked at in each text, and the same in words."""
    conflicts = _conflicts(frame)
    kinds, why = [], []
    for place, row in enumerate(frame.to_dict("records")):
        found = {}
        if row["score"] > _DOUBTFUL and row["suggested_label"] != row["label"]:
            found[WHY_LABEL] = f"reads like {row['suggested_label']}"
        if place in conflicts:
            found[WHY_REPEATED] = conflicts[place]
        if row["domain_score"] > _ELSEWHERE and row["suggested_domain"] != row["domain"]:
            found[WHY_DOMAIN] = f"reads like a text of {row['suggested_domain']}"
        if row["familiarity"] < _STRANGE:
            found[WHY_STRANGE] = f"unlike the other texts of {row['domain']}"
        kinds.append(" ".join(found))
        why.append("; ".join(found.values()))
    return kinds, why


def _conflicts(frame: pd.DataFrame) -> dict[int, str]:
    """Return what there is to say of texts that stand elsewhere with another label, by place."""
    groups = collections.defaultdict(list)
    for place, number in enumerate(frame["same_text"]):
        if number >= 0:
            groups[number].append(place)
    labels, ids, found = frame["label"], frame["id"], {}
    for places in groups.values():
        for place in places:
            others = [other for other in places if labels[other] != labels[place]]
            if others:
                first = f"same text as {ids[others[0]]}, which has label {labels[others[0]]}"
                more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
                found[place] = first + more
    return found
