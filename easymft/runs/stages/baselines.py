"""The phases of methods that train no encoder: logistic regressions on fixed features."""

from typing import Any

import numpy as np

from easymft import files
from easymft.config import Phase
from easymft.config.method import META_LEARNER
from easymft.data.corpus.schema import Corpus
from easymft.methods import logistic
from easymft.methods.balance import class_weights
from easymft.methods.tfidf import TfidfClassifier
from easymft.models import TextClassifier, TextEmbedder
from easymft.models.inference import predict
from easymft.runs.run import Run

_EMBEDDINGS = "embeddings"  # kept between the two phases


def fit_shared(run: Run) -> dict[str, Any]:
    """Fit one classifier over all domains."""
    rows, tokens = run.data.splits["train"], run.data.training_tokens
    labels, cells = tokens.labels[rows], _cells(run, rows)
    weights = _weights(labels, run.config.meta_fine_tune)
    if run.method.model == "tfidf":
        texts = text_columns(run.data.corpus, rows)
        model = TfidfClassifier(run.data.num_classes, len(texts))
        model.fit(texts, labels, cells, weights)
    else:
        model = run.new_classifier()
        embeddings, *scale = logistic.standardized(_embeddings(run, model))
        head = logistic.fit_head(embeddings, labels, cells, run.data.num_classes, weights)
        model.class_head.set_weights(logistic.unstandardized(head, *scale))
    run.keep(model, META_LEARNER)
    return {"history": []}


def fit_domains(run: Run) -> dict[str, Any]:
    """Fit a head per domain on the frozen encoder, shrunk towards what all domains share."""
    data, rows, model = run.data, run.data.splits["train"], run.new_classifier()
    left_out = data.splits.get("left_out_train", rows[:0])
    rows = np.concatenate([rows, left_out])
    embeddings = _embeddings(run, model, left_out)
    embeddings, *scale = logistic.standardized(embeddings)
    labels, domains = data.training_tokens.labels[rows], data.training_tokens.domains[rows]
    weights = _weights(labels, run.config.fine_tune)
    heads = logistic.fit_domain_heads(
        embeddings, labels, domains, data.num_classes, data.num_domains, weights
    )
    for name, code in run.models().items():
        if code is not None:
            model.class_head.set_weights(logistic.unstandardized(heads[code], *scale))
            run.keep(model, name)
    run.checkpoint(_EMBEDDINGS).discard()
    return {"history": {domain: [] for domain in data.corpus.domains}, "keep_meta_learner": []}


def text_columns(corpus: Corpus, rows: np.ndarray) -> list[list[str]]:
    """Return the texts of some rows, and the second texts of pairs: one list a column."""
    names = ["text", "text_pair"] if corpus.is_pair else ["text"]
    part = corpus.take(rows).table
    return [part[name].to_pylist() for name in names]


def _cells(run: Run, rows: np.ndarray) -> np.ndarray:
    tokens = run.data.training_tokens
    return tokens.domains[rows] * run.data.num_classes + tokens.labels[rows]


def _weights(labels: np.ndarray, phase: Phase) -> np.ndarray | None:
    return None if phase.class_balance == "none" else class_weights(labels)


def _embeddings(run: Run, model: TextClassifier, more: np.ndarray | None = None) -> np.ndarray:
    """Return E(x) of the training texts, and of `more` rows: `(texts, hidden)` float32."""
    tokens, embedder = run.data.tokens, TextEmbedder(model)
    path = run.folder.checkpoint(_EMBEDDINGS)
    if path.exists():
        embeddings = np.load(path / "train.npy", allow_pickle=False)
    else:
        embeddings = predict(embedder, "embedding", tokens, run.data.splits["train"])
        with files.staged(path) as folder:
            folder.mkdir()
            np.save(folder / "train.npy", embeddings, allow_pickle=False)
    if more is None or not len(more):
        return embeddings
    return np.concatenate([embeddings, predict(embedder, "embedding", tokens, more)])
