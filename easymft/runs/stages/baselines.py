"""The phases of methods that train no encoder: logistic regressions on fixed features."""

from typing import Any

import numpy as np

from easymft import files
from easymft.config import Phase
from easymft.config.method import META_LEARNER
from easymft.data.batches.tokenized import TokenizedTexts
from easymft.data.corpus.schema import Corpus
from easymft.methods import logistic
from easymft.methods.balance import class_weights
from easymft.methods.tfidf import TfidfClassifier
from easymft.models import AdaptedTextClassifier, TextClassifier, TextEmbedder
from easymft.models.domain_parts import DomainParts
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
    learner, nothing = run.load(META_LEARNER), np.array([], int)
    run.keep_parts(_fitted_parts(run, learner, run.data.training_tokens, nothing))
    return {"history": {domain: [] for domain in run.data.corpus.domains}, "keep_meta_learner": []}


def fit_new_domain(
    run: Run, learner: TextClassifier, tokens: TokenizedTexts, rows: np.ndarray, domain: str
) -> DomainParts:
    """Return the parts of one more domain, fitted beside all others, which stay as they were.

    Args:
        run: A finished run.
        learner: Its meta-learner.
        tokens: The new domain's texts.
        rows: Int `(n,)`, those to learn from.
        domain: Its name.
    """
    return _fitted_parts(run, learner, tokens, rows, domain).of_domains([domain])


def _fitted_parts(
    run: Run,
    learner: TextClassifier,
    tokens: TokenizedTexts,
    rows: np.ndarray,
    domain: str | None = None,
) -> DomainParts:
    """Return heads of the run's domains, and of a new one, as parts beside the meta-learner's."""
    data, embedder = run.data, TextEmbedder(learner)
    rows = rows[tokens.labels[rows] < data.num_classes]  # later classes have heads of their own
    known = data.splits["train"]
    left_out = data.splits.get("left_out_train", known[:0])
    texts = [(data.training_tokens, left_out), (tokens, rows)]
    more = [predict(embedder, "embedding", *of) for of in texts if len(of[1])]
    embeddings = np.concatenate([_embeddings(run, learner), *more])
    embeddings, *scale = logistic.standardized(embeddings)
    own, every = data.training_tokens, np.concatenate([known, left_out])
    labels = np.concatenate([own.labels[every], tokens.labels[rows]])
    domains = np.concatenate([own.domains[every], np.full(len(rows), data.num_domains)])
    names = [*data.corpus.domains, *([] if domain is None else [domain])]
    weights = _weights(labels, run.config.fine_tune)
    heads = logistic.fit_domain_heads(
        embeddings, labels, domains, data.num_classes, len(names), weights
    )
    whole = [logistic.unstandardized(head, *scale) for head in heads]
    run.checkpoint(_EMBEDDINGS).discard()
    shared = logistic.Head(*learner.class_head.get_weights())
    model = AdaptedTextClassifier.of_meta_learner(learner, len(names), parts="head")
    model.set_tables(
        {
            "head/kernels": np.stack([head.kernel - shared.kernel for head in whole]),
            "head/shifts": np.stack([head.bias - shared.bias for head in whole]),
        }
    )
    return DomainParts.of(model, names)


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


def _embeddings(run: Run, model: TextClassifier) -> np.ndarray:
    """Return E(x) of the training texts, `(texts, hidden)` float32."""
    path = run.folder.checkpoint(_EMBEDDINGS)
    if path.exists():
        return np.load(path / "train.npy", allow_pickle=False)
    embeddings = predict(
        TextEmbedder(model), "embedding", run.data.tokens, run.data.splits["train"]
    )
    with files.staged(path) as folder:
        folder.mkdir()
        np.save(folder / "train.npy", embeddings, allow_pickle=False)
    return embeddings
