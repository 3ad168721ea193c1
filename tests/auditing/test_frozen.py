import numpy as np

from easymft.auditing.frozen import best_shrinkage, cross_fit
from easymft.config import MFT
from easymft.methods.folds import deal


def test_wrong_labels_are_judged_by_texts_around_them():
    random = np.random.default_rng(0)
    classes, domains = np.arange(80) % 2, np.arange(80) // 40
    embeddings = random.normal(size=(80, 6)) * 0.3
    embeddings[:, 0] += 2 * classes - 1
    labels = classes.copy()
    labels[[4, 50]] ^= 1
    held_out = list(deal(domains * 2 + labels, np.arange(80), 5, seed=1))
    own = embeddings, labels, domains
    shrinkage = best_shrinkage(*own, (2, 2))
    judged = cross_fit(*own, held_out, (2, 2), shrinkage, MFT.model_validate({}))
    own = judged.probabilities[np.arange(80), labels]
    assert sorted(np.argsort(own)[:2]) == [4, 50]
    assert sorted(np.argsort(judged.margins(labels))[:2]) == [4, 50]
    assert np.allclose(judged.probabilities.sum(axis=1), 1)
