"""Whether familiarity tells strangers: the area under the ROC curve against a run's test texts.

    python -m tests.benchmarks.strangers --run runs/amazon/mft/seed-1

Strangers are MultiNLI's premises, the rated snippets, random Thai letters and random bytes; and,
one after another, the test texts of each of the run's own domains, as if it had no training texts.
Texts are given without a domain. Prints a row each: texts, the area, and the share of texts that
are less familiar than 95 % of the test texts.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import app, flags
from sklearn.metrics import roc_auc_score

from easymft import files
from easymft.config.loading import config_from_dict, load_config
from easymft.data.batches.tokenized import tokenized
from easymft.data.corpus.lists import unlabelled
from easymft.data.sources.load import load_corpus
from easymft.methods.familiarity import familiar, table_of, token_ids_of
from easymft.models.familiarity import Familiarity
from easymft.report.markdown import plain_table
from easymft.runs.run import Run

_RUN = flags.DEFINE_string("run", None, "Folder of a finished run that kept its models.")
_MULTI_NLI = flags.DEFINE_string("multi_nli", None, "multinli_1.0_dev_matched.jsonl, if at hand.")
_MOST = 1_000  # texts of a kind


def main(argv: list[str]) -> None:
    run = Run(config_from_dict(files.read_json(Path(_RUN.value) / "config.json")))
    first, *_ = run.models()
    backbone, tokens, splits = run.load(first).backbone, run.data.tokens, run.data.splits
    table, test, domains = table_of(backbone), splits["test"], np.asarray(run.data.tokens.domains)

    def known(rows: np.ndarray) -> Familiarity:
        return familiar(table, tokens, rows, run.data.corpus.domains, run.data.num_classes)

    def of(familiarity: Familiarity, texts: Sequence[np.ndarray]) -> np.ndarray:
        strangers = np.full(len(texts), run.data.num_domains)
        return familiarity.of_packed(table, texts, strangers)

    everything = known(splits["train"])
    own = of(everything, token_ids_of(tokens, test))
    rows = [["strangers", "texts", "area under the curve", "below the 5th percentile, %"]]
    for name, texts in kinds(run.data.num_domains).items():
        with tokenized(unlabelled({"text": texts})[0], run.data.preprocessor) as packed:
            ids = token_ids_of(packed, np.arange(len(texts)))
            rows.append(row(name, own, of(everything, ids)))
    for code, name in enumerate(run.data.corpus.domains):
        others = known(splits["train"][domains[splits["train"]] != code])
        found, is_own = of(others, token_ids_of(tokens, test)), domains[test] != code
        rows.append(row(f"left out: {name}", found[is_own], found[~is_own]))
    print(plain_table(rows))


def kinds(seed: int) -> dict[str, list[str]]:
    """Return strange texts by their kind."""
    random = np.random.default_rng(seed)
    found: dict[str, list[str]] = {}
    if _MULTI_NLI.value:
        lines = Path(_MULTI_NLI.value).read_text(encoding="utf-8").splitlines()
        found["MultiNLI, premises"] = [json.loads(line)["sentence1"] for line in lines]
    snippets = load_corpus(load_config("snippets").data)
    texts, codes = snippets.table["text"].to_pylist(), snippets.codes("domain")
    for code, name in enumerate(snippets.domains):
        found[f"snippets, {name}"] = [texts[place] for place in np.flatnonzero(codes == code)]
    letters = [chr(code) for code in range(0x0E01, 0x0E2F)]
    found["Thai letters"] = [
        "".join(random.choice(letters, random.integers(20, 200))) for _ in range(300)
    ]
    found["bytes"] = [
        random.bytes(random.integers(20, 300)).decode("utf-8", "replace") for _ in range(300)
    ]
    return {
        name: [texts[place] for place in random.permutation(len(texts))[:_MOST]]
        for name, texts in found.items()
    }


def row(name: str, own: np.ndarray, strange: np.ndarray) -> list[str]:
    """Return a row of the table."""
    area = roc_auc_score(np.repeat([1, 0], [len(own), len(strange)]), np.append(own, strange))
    share = 100 * (strange < np.quantile(own, 0.05)).mean()
    return [name, f"{len(strange):,}", f"{area:.3f}", f"{share:.0f}"]


if __name__ == "__main__":
    app.run(main)
