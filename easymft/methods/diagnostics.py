"""What meta fine-tuning did to the encoder: domains found again in it, centroids, a map."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.schema import Corpus
from easymft.data.corpus.splits import Splits
from easymft.models.inference import predict
from easymft.models.text_representations import TextRepresentations

MAX_TEXTS = 2000  # held-out texts on the map and in the probe, and training texts of centroids
EMBEDDING = "embedding"  # the name of E(x) beside the layers' numbers

Vectors = Mapping[str, np.ndarray]  # name of a layer -> (texts, hidden)


class Diagnosis(NamedTuple):
    """What `diagnose` found.

    Attributes:
        figures: For `diagnostics.json`: numbers, names and `None` only, no NaN.
        map: `embeddings.parquet`: id, split, domain and label of held-out texts, and E(x) in two
            dimensions `before_x`, `before_y`, `after_x`, `after_y` (float32; null without it).
        embeddings: The same texts' E(x), `(texts, hidden)`, under "before" and "after".
    """

    figures: dict[str, Any]
    map: pa.Table
    embeddings: dict[str, np.ndarray]


class DiagnosedTexts(NamedTuple):
    """The texts that are looked at: at most `MAX_TEXTS` held-out ones, and as many for training.

    Attributes:
        held_out: `(n,)` rows of the corpus, of test and dev.
        splits: `(n,)` their splits.
        train: `(m,)` rows of training texts, for the centroids.
    """

    held_out: np.ndarray
    splits: np.ndarray
    train: np.ndarray

    @classmethod
    def sample(cls, splits: Splits, seed: int) -> "DiagnosedTexts":
        """Draw them from the splits "test", "dev" and "train"."""
        random = np.random.default_rng(seed)
        held_out = np.concatenate([splits["test"], splits["dev"]])
        names = np.repeat(["test", "dev"], [len(splits["test"]), len(splits["dev"])])
        chosen = _sample(len(held_out), random)
        train = splits["train"][_sample(len(splits["train"]), random)]
        return cls(held_out[chosen], names[chosen], train)

    @property
    def rows(self) -> np.ndarray:
        """The held-out rows, then those for training."""
        return np.concatenate([self.held_out, self.train])


def diagnose(
    corpus: Corpus, texts: DiagnosedTexts, before: Vectors, after: Vectors | None, seed: int
) -> Diagnosis:
    """Compare the encoder before and after meta fine-tuning.

    Args:
        corpus: The corpus.
        texts: Which texts are looked at.
        before: Of `representations` for `texts.rows`, by the encoder as it was pre-trained.
        after: The same for `texts.held_out` by the meta-learner; `None` where there is none.
        seed: Of the probe's halves.
    """
    old = {name: values[: len(texts.held_out)] for name, values in before.items()}
    after = after if len(texts.held_out) else None
    embeddings = {"before": old[EMBEDDING], **({"after": after[EMBEDDING]} if after else {})}
    table, shares = embedding_map(corpus, texts.held_out, texts.splits, embeddings)
    of_training = before[EMBEDDING][len(texts.held_out) :]
    figures = {
        "layers": list(old),
        "probe": domain_probe(old, after, corpus.codes("domain")[texts.held_out], seed),
        "centroids": centroids(corpus, texts.train, of_training),
        "map": shares,
    }
    return Diagnosis(figures, table, embeddings)


def representations(
    model: TextRepresentations, tokens: TokenizedTexts, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Mean token at each of the model's layers and E(x), `(len(rows), hidden)` each."""
    vectors = predict(model, "looking into the encoder", tokens, rows)
    return {name: vectors[name] for name in (*model.names, EMBEDDING)}


def domain_probe(
    before: Vectors, after: Vectors | None, domains: np.ndarray, seed: int
) -> dict[str, Any]:
    """Return how well a fresh linear classifier tells the domain from the encoder's vectors.

    Half of the texts of each domain train it, the other half test it. Where corruption works, the
    accuracy after meta fine-tuning falls towards `majority`, that of always naming the most
    frequent domain of the first half.

    Args:
        before: Vectors of the texts before meta fine-tuning, by layer.
        after: The same after it; `None` where there is none.
        domains: `(texts,)` int, the texts' domains.
        seed: Of the halves.

    Returns:
        `majority`, `train_texts`, `test_texts`, and under `before` and `after` the accuracy by
        layer. A figure is `None` where it cannot be had: one domain only, no text to test.

    Reference: Alain, Bengio: Understanding intermediate layers using linear classifier probes,
    2016, arXiv 1610.01644.
    """
    order = np.random.default_rng(seed).permutation(len(domains))
    order = order[np.argsort(domains[order], kind="stable")]
    train, test = order[::2], order[1::2]

    def accuracy(vectors: np.ndarray) -> float | None:
        if len(set(domains[train])) < 2 or not len(test) or not np.isfinite(vectors).all():
            return None
        # Multinomial, with scikit-learn's L2 penalty: there may be more components than texts.
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        probe.fit(vectors[train], domains[train])
        return float(probe.score(vectors[test], domains[test]))

    majority = np.bincount(domains[train]).argmax() if len(test) else None
    return {
        "majority": None if majority is None else float((domains[test] == majority).mean()),
        "train_texts": len(train),
        "test_texts": len(test),
        "before": {name: accuracy(vectors) for name, vectors in before.items()},
        "after": after and {name: accuracy(vectors) for name, vectors in after.items()},
    }


def centroids(corpus: Corpus, rows: np.ndarray, embeddings: np.ndarray) -> dict[str, Any]:
    """Cosines of the centroids, the mean E(x) of each domain's texts of each class.

    Args:
        corpus: The corpus.
        rows: `(texts,)` rows of the corpus.
        embeddings: E(x) of `rows`, `(texts, hidden)`.

    Returns:
        `names`, the domain and class of every centroid, and `cosine`, a square matrix in their
        order; `None` in it where there is no text or the centroid is no direction.

    Reference: the centroids c_m^k of Wang et al. 2020, Meta Fine-Tuning Neural Language Models
    for Multi-Domain Text Mining; see `easymft.layers.TypicalityWeighting`.
    """
    names = [{"domain": k, "class": m} for k in corpus.domains for m in corpus.labels]
    cells = corpus.codes("domain")[rows] * len(corpus.labels) + corpus.codes("label")[rows]
    sums = np.zeros((len(names), embeddings.shape[1]))
    np.add.at(sums, cells, embeddings)  # a sum has the direction of the mean
    with np.errstate(invalid="ignore"):
        units = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    cosines = (units @ units.T).clip(-1, 1)
    return {
        "names": names,
        "cosine": [[float(c) if np.isfinite(c) else None for c in row] for row in cosines],
    }


def embedding_map(
    corpus: Corpus, rows: np.ndarray, splits: np.ndarray, embeddings: Vectors
) -> tuple[pa.Table, dict[str, Any]]:
    """Return the first two principal components of E(x), before and after.

    Args:
        corpus: The corpus.
        rows: `(texts,)` rows of the corpus.
        splits: `(texts,)` names of their splits.
        embeddings: E(x) of `rows`, `(texts, hidden)`, under "before" and, if there is one,
            "after".

    Returns:
        The table of `Diagnosis.map`, and the shares of the variance that the axes explain, under
        `explained_before` and `explained_after`.
    """
    part = corpus.take(rows).table
    columns = {
        "id": part["id"],
        "split": pa.array(splits, pa.string()),
        "domain": pa.array(corpus.domains).take(part["domain"]),
        "label": pa.array(corpus.labels).take(part["label"]),
    }
    shares = {}
    first = None
    for time in ("before", "after"):
        points, shares[f"explained_{time}"] = principal_components(embeddings.get(time), first)
        first = points
        for axis, name in enumerate("xy"):
            values = pa.nulls(len(rows)) if points is None else points[:, axis]
            columns[f"{time}_{name}"] = pa.array(values, pa.float32())
    return pa.table(columns), shares


def principal_components(
    embeddings: np.ndarray | None, like: np.ndarray | None = None
) -> tuple[np.ndarray | None, list[float] | None]:
    """Coordinates on the two axes of largest variance, and each axis' share of the variance.

    Args:
        embeddings: `(texts, hidden)`; `None` and what is not finite have no map.
        like: `(texts, 2)` points of the same texts; an axis, whose sign is arbitrary, gets the
            sign that agrees with them.

    Returns:
        `(texts, 2)` points and two shares, or two times `None`. An axis that does not exist (one
        text, one component) has coordinates and share 0.

    Reference: Pearson: On lines and planes of closest fit to systems of points in space, 1901.
    """
    if embeddings is None or not np.isfinite(embeddings).all():
        return None, None
    points, shares = np.zeros((len(embeddings), 2)), [0.0, 0.0]
    axes = min(2, *embeddings.shape)
    if (embeddings != embeddings[:1]).any():
        pca = PCA(axes, svd_solver="full")
        points[:, :axes] = pca.fit_transform(embeddings.astype(float))
        shares[:axes] = pca.explained_variance_ratio_.tolist()
    if like is not None:
        points *= np.where((points * like).sum(axis=0) < 0, -1, 1)
    return points, shares


def _sample(count: int, random: np.random.Generator) -> np.ndarray:
    """At most `MAX_TEXTS` of `count` positions, in order."""
    return np.sort(random.permutation(count)[:MAX_TEXTS])
