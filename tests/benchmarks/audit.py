"""What an audit is worth: planted wrong labels found, and labels chosen beside random ones.

    python -m tests.benchmarks.audit --measure planted --fraction 0.2
    python -m tests.benchmarks.audit --measure choice

planted: of the labelled texts of `--audit_recipe` (`--fraction` of every domain and class, drawn by
the seed) a share `--wrong` is given another label; prints, averaged over `--audit_seeds`, how well
rankings find them: the area under the ROC curve, and the share of wrong ones among as many texts
as are wrong. The rankings: the audit's score; its out-of-fold probability alone, whose order is
that of the out-of-fold loss and of cleanlab's self-confidence too; cleanlab's self-confidence
adjusted by class; typicality, and its margin, alone, out of fold; words alone; the loss of the
texts that a model was fitted to, and their typicality in the encoder as it was pre-trained (both
for `embed` alone). Of all texts beyond score 0.5 it says how many are wrong.

choice: a fifth of the texts tests, the others are without labels but for `--first_labels` a domain
and class. In each of `--label_rounds` rounds `--round_labels` more are labelled, as `label_next`
chooses them or by chance; heads on the frozen encoder learn from what is labelled. Prints
accuracies on the test texts by round, and paired differences to random choice.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from absl import app, flags

from easymft.auditing import frozen
from easymft.auditing.findings import judge
from easymft.auditing.material import Material
from easymft.auditing.next_labels import diverse, leads, learning_curves, split_budget
from easymft.auditing.suspicion import suspicion
from easymft.config.loading import load_config
from easymft.data.corpus.label_noise import flip_labels
from easymft.data.corpus.schema import UNKNOWN
from easymft.devices import start_up
from easymft.methods import typicality
from easymft.methods.folds import deal
from easymft.methods.reliability import wrong_labels_found
from easymft.models.pseudo_labels import class_typicalities
from easymft.report.markdown import plain_table
from easymft.report.statistics import mean_and_error, paired_difference
from easymft.report.words import percent_and_error
from easymft.runs.run import Run

_CONFIG = flags.DEFINE_string("audit_recipe", "app_zoo/amazon.json", "A recipe.")
_SET = flags.DEFINE_multi_string("audit_set", [], "Settings of it, as of easymft.run.")
_PART = flags.DEFINE_enum("measure", "planted", ["planted", "choice"], "What is measured.")
_SEEDS = flags.DEFINE_list("audit_seeds", ["1", "2", "3"], "Seeds.")
_FRACTION = flags.DEFINE_float("fraction", 1.0, "planted: share of the texts.", 0, 1)
_WRONG = flags.DEFINE_float("wrong", 0.2, "planted: share of them with a wrong label.", 0, 1)
_START = flags.DEFINE_integer("first_labels", 5, "choice: first labels of a domain and class.", 1)
_BUDGET = flags.DEFINE_integer("round_labels", 40, "choice: labels a round.", 1)
_ROUNDS = flags.DEFINE_integer("label_rounds", 5, "choice: rounds.", 1)

STRATEGIES = ("random", "uncertain and diverse", "and split for the worst domain")


def main(argv: list[str]) -> None:
    start_up.start(silently=True)
    config = load_config(_CONFIG.value, _SET.value)
    seeds = list(map(int, _SEEDS.value))
    run = Run(config.model_copy(update={"method": config.audit.method}))
    data = run.data
    whole = Material(config, data.corpus, data.tokens, run.pretrained)
    if _PART.value == "planted":
        print(planted_table(whole, seeds, _FRACTION.value, _WRONG.value))
    else:
        plan = _START.value, _BUDGET.value, _ROUNDS.value
        print(choice_tables(whole, seeds, *plan))


# Planted wrong labels


def planted_table(whole: Material, seeds: list[int], fraction: float, wrong: float) -> str:
    """Return the table of `planted`, and how many of the texts beyond 0.5 are wrong."""
    found: dict[str, list[dict[str, float]]] = {}
    beyond = []
    for seed in seeds:
        material, flipped = planted(whole, seed, fraction, wrong)
        scores = rankings(material, seed)
        marked = scores["score"] > 0.5
        beyond.append((marked.sum(), flipped[marked].sum()))
        for name, entry in wrong_labels_found(flipped, scores)["rankings"].items():
            found.setdefault(name, []).append(entry)
        print(f"seed {seed}: {len(flipped)} texts, {flipped.sum()} wrong", flush=True)
    body = [["ranking", "AUC", "precision, %"]]
    for name, entries in found.items():
        auc, error = mean_and_error([entry["auc"] for entry in entries])
        precision = mean_and_error([entry["precision"] for entry in entries])
        shown = f"{auc:.3f}" + ("" if error is None else f" ± {error:.3f}")
        body.append([name, shown, percent_and_error(*precision)])
    texts, right = np.sum(beyond, axis=0)
    return f"{plain_table(body)}\n\nbeyond 0.5: {texts} texts, of which {right} are wrong\n"


def planted(
    whole: Material, seed: int, fraction: float, wrong: float
) -> tuple[Material, np.ndarray]:
    """Return part of the texts with some wrong labels, and which are wrong, `(texts,)` bool."""
    rows, random = whole.rows, np.random.default_rng(seed)
    kept = []
    cells = whole.domains[rows] * whole.shape[1] + whole.labels[rows]
    for cell in np.unique(cells):
        own = random.permutation(rows[cells == cell])
        kept.append(own[: max(1, round(fraction * len(own)))])
    rows = np.sort(np.concatenate(kept))
    labels = np.full(len(whole.corpus), UNKNOWN, np.int32)
    labels[rows] = flip_labels(whole.labels[rows], whole.shape[1], wrong, seed)
    return labelled(whole, labels, seed), labels[rows] != whole.labels[rows]


def labelled(whole: Material, labels: np.ndarray, seed: int) -> Material:
    """Return the same texts with other labels; their embeddings need not be made again."""
    table = whole.corpus.table
    place = table.column_names.index("label")
    corpus = dataclasses.replace(
        whole.corpus, table=table.set_column(place, "label", pa.array(labels))
    )
    material = dataclasses.replace(
        whole,
        corpus=corpus,
        tokens=dataclasses.replace(whole.tokens, labels=labels),
        config=whole.config.model_copy(update={"seed": seed}),
    )
    if whole.config.audit.method == "embed":
        vars(material)["embeddings"] = whole.embeddings
    return material


def rankings(material: Material, seed: int) -> dict[str, np.ndarray]:
    """Return how suspicious each labelled text is, by the name of the ranking."""
    from cleanlab.rank import get_label_quality_scores

    rows = material.rows
    labels, domains = material.labels[rows], material.domains[rows]
    cells, places = domains * material.shape[1] + labels, np.arange(len(rows))
    held_out = list(deal(cells, places, material.config.audit.folds, seed))
    judged = judge(material, held_out)
    found = {
        "score": suspicion(judged, labels).score,
        "out-of-fold probability, or loss": 1 - judged.probabilities[places, labels],
        "cleanlab, adjusted by class": -get_label_quality_scores(
            labels, judged.probabilities, adjust_pred_probs=True
        ),
        "typicality, out of fold": -judged.typicalities[places, labels],
        "typicality margin, out of fold": -judged.margins(labels),
    }
    if judged.words is not None:
        found["probability by words, out of fold"] = 1 - judged.words[places, labels]
    if material.config.audit.method == "embed":
        found |= _in_sample(material.embeddings[rows].astype(float), labels, domains, material)
    return found


def _in_sample(
    embeddings: np.ndarray, labels: np.ndarray, domains: np.ndarray, material: Material
) -> dict[str, np.ndarray]:
    every = np.arange(len(labels))
    num_domains, num_classes = material.shape
    heads = frozen.Heads.fit(embeddings, labels, domains, material.shape, material.shrinkage)
    answers = heads.probabilities(embeddings, domains)
    layer = typicality.weighting(num_classes, num_domains, material.config.mft)
    layer.adapt(embeddings, labels, domains)
    typicalities = class_typicalities(layer, embeddings, domains, num_classes)
    return {
        "loss of a text that was learned from": 1 - answers[every, labels],
        "typicality as pre-trained": -typicalities[every, labels],
    }


# Chosen labels


def choice_tables(whole: Material, seeds: list[int], start: int, budget: int, rounds: int) -> str:
    """Return accuracies by round and strategy, and differences to random choice."""
    parts = [
        pd.concat([pd.DataFrame(part) for part in simulated(whole, seed, start, budget, rounds)])
        for seed in seeds
    ]
    answers = pd.concat(parts)
    by = answers.groupby(["strategy", "round", "seed", "domain"])["right"].mean()
    average = by.groupby(["strategy", "round", "seed"]).mean()
    worst = by.groupby(["strategy", "round", "seed"]).min()
    body = [["labels chosen by", *(f"round {n}" for n in range(rounds + 1)), "worst domain, last"]]
    for strategy in STRATEGIES:
        cells = [
            percent_and_error(*mean_and_error(average[strategy, number]))
            for number in range(rounds + 1)
        ]
        last = percent_and_error(*mean_and_error(worst[strategy, rounds]))
        body.append([strategy, *cells, last])
    lines = [plain_table(body), ""]
    for strategy in STRATEGIES[1:]:
        for number in range(1, rounds + 1):
            one, other = (
                answers[(answers["strategy"] == name) & (answers["round"] == number)]
                for name in (strategy, STRATEGIES[0])
            )
            mean, low, high = (100 * end for end in paired_difference(one, other))
            gains = worst[strategy, number] - worst[STRATEGIES[0], number]
            lines.append(
                f"{strategy}, round {number}: {mean:+.1f} ({low:+.1f} to {high:+.1f}); worst "
                f"domain {percent_and_error(*mean_and_error(gains))}"
            )
    return "\n".join(lines)


def simulated(
    whole: Material, seed: int, start: int, budget: int, rounds: int
) -> Iterator[dict[str, Any]]:
    """Yield who is right on the test texts, of every strategy and round of one seed."""
    embeddings, labels, domains = whole.embeddings.astype(float), whole.labels, whole.domains
    cells, every = domains * whole.shape[1] + labels, np.arange(len(labels))
    test, *others = deal(cells, every, 5, seed)
    pool, random = np.sort(np.concatenate(others)), np.random.default_rng(seed)
    first = np.concatenate(
        [random.permutation(pool[cells[pool] == cell])[:start] for cell in np.unique(cells)]
    )
    for strategy in STRATEGIES:
        known, draws = np.sort(first), np.random.default_rng(seed)
        for number in range(rounds + 1):
            own = embeddings[known], labels[known], domains[known]
            shrinkage = frozen.best_shrinkage(*own, whole.shape)
            answers = frozen.Heads.fit(*own, whole.shape, shrinkage).probabilities(
                embeddings, domains
            )
            yield {
                "strategy": strategy,
                "round": number,
                "seed": seed,
                "domain": domains[test],
                "id": test,
                "right": answers[test].argmax(axis=1) == labels[test],
            }
            if number == rounds:
                break
            bare = np.setdiff1d(pool, known)
            room = np.bincount(domains[bare], minlength=whole.shape[0])
            shares = np.full(whole.shape[0], budget // whole.shape[0])
            if strategy == STRATEGIES[-1]:
                curves = learning_curves(*own, whole.shape, shrinkage, seed)
                shares = split_budget(curves, room, budget)
            doubts = 1 - leads(answers[bare])
            for code, count in enumerate(shares):
                inside = np.flatnonzero(domains[bare] == code)
                if strategy == STRATEGIES[0]:
                    picked = draws.permutation(len(inside))[:count]
                else:
                    picked = diverse(embeddings[bare[inside]], doubts[inside], int(count), seed)
                known = np.sort(np.concatenate([known, bare[inside[picked]]]))
        print(f"seed {seed}, {strategy}: {len(known)} labels", flush=True)


if __name__ == "__main__":
    app.run(main)
