"""The method's mathematics once more, as short float64 numpy functions with plain loops."""

import numpy as np


def masked_mean(tokens, mask):
    """(batch, length, hidden), (batch, length) -> (batch, hidden)."""
    rows = [row[keep.astype(bool)] for row, keep in zip(tokens, mask, strict=True)]
    return np.array([r.mean(axis=0) if len(r) else np.zeros(tokens.shape[-1]) for r in rows])


def cosine(a, b):
    """Cosine of two vectors; 0 where one is zero."""
    a, b = np.asarray(a, "float64"), np.asarray(b, "float64")
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norms) if norms else 0.0


def centroids(embeddings, labels, domains, num_domains, num_classes):
    """{(domain, class): mean embedding}, only for the cells that have texts."""
    cells = {}
    for k in range(num_domains):
        for m in range(num_classes):
            rows = embeddings[(domains == k) & (labels == m)]
            if len(rows):
                cells[k, m] = rows.astype("float64").mean(axis=0)
    return cells


def typicality(text, label, domain, cells, class_rows, alpha=0.5, variant="paper"):
    """The score of one text; `class_rows[m]`: how much each class counts for class m."""
    beta = class_rows[label]
    classes = range(len(beta))
    own = [(beta[m], cosine(text, cells[domain, m])) for m in classes if (domain, m) in cells]
    others = []
    if variant == "paper":
        others = [(beta[m], cosine(text, c)) for (k, m), c in cells.items() if k != domain]
    else:
        for m in classes:
            of_class = [c for (k, n), c in cells.items() if k != domain and n == m]
            if of_class:
                others.append((beta[m], cosine(text, np.mean(of_class, axis=0))))
    terms = [
        (share, sum(w * c for w, c in pairs) / sum(w for w, _ in pairs))
        for share, pairs in ((alpha, own), (1 - alpha, others))
        if sum(w for w, _ in pairs) > 0
    ]
    if len(terms) == 1:
        return terms[0][1]
    return sum(share * value for share, value in terms)


def corruption_logits(hidden, domains, embedding, kernel, bias):
    """Dense(hidden + Embedding(true domain))."""
    return (hidden + embedding[domains]) @ kernel + bias


def added_by_domains(inputs, domains, factor_a=None, factor_b=None, kernels=None, shifts=None):
    """What each row's domain adds to a projection; (batch, ..., in) -> (batch, ..., units)."""
    tables = [table for table in (factor_b, kernels, shifts) if table is not None]
    added = np.zeros((*inputs.shape[:-1], tables[0].shape[-1]))
    for row, domain in enumerate(domains):
        if 0 <= domain < len(tables[0]):
            if factor_a is not None:
                added[row] += inputs[row] @ (factor_a[domain] @ factor_b[domain])
            if kernels is not None:
                added[row] += inputs[row] @ kernels[domain]
            if shifts is not None:
                added[row] += shifts[domain]
    return added


def cross_entropy(logits, targets):
    """-log softmax(logits)[target] of each row."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -log_probabilities[np.arange(len(targets)), targets]


def chi_square(observed, expected):
    """Pearson's statistic of counts against expected counts."""
    observed, expected = np.asarray(observed, "float64"), np.asarray(expected, "float64")
    return float(((observed - expected) ** 2 / expected).sum())
