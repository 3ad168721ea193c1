"""Wrong labels on purpose, to see what a method does about them."""

import numpy as np


def flip_labels(labels: np.ndarray, num_classes: int, share: float, seed: int) -> np.ndarray:
    """Give a share of the texts another class, drawn evenly from the others.

    Args:
        labels: `(texts,)` int, codes of the classes.
        num_classes: Number of classes; with one there is no other, and nothing changes.
        share: Share of the texts, rounded to whole ones.
        seed: Which texts, and which classes.

    Returns:
        `(texts,)` of the labels' dtype: the labels, some of them wrong.

    Reference: symmetric label noise; Patrini et al.: Making Deep Neural Networks Robust to Label
    Noise, CVPR 2017.
    """
    noisy = np.array(labels)
    random = np.random.default_rng(seed)
    if num_classes > 1:
        chosen = random.permutation(len(noisy))[: round(share * len(noisy))]
        noisy[chosen] = (noisy[chosen] + random.integers(1, num_classes, len(chosen))) % num_classes
    return noisy
