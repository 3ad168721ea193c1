"""Which classes a domain has at all, where not every domain has all of them."""

from collections.abc import Sequence

import numpy as np
from keras import ops

from easymft.layers.checks import check
from easymft.layers.codes import codes
from easymft.layers.types import Tensor

LabelSets = Sequence[Sequence[int] | None]
"""Classes of each domain, in the order of their codes; `None`: all. Perhaps one more: the classes
that a text of an unknown domain may have."""

OUT_OF_REACH = -1e9  # a logit whose probability is 0, and which no sum turns into infinity


def allowed_classes(label_sets: LabelSets, num_domains: int, num_classes: int) -> np.ndarray:
    """Return which classes each domain has, and in the last row an unknown one.

    Args:
        label_sets: For each of `num_domains` domains, and perhaps for unknown ones.
        num_domains: Number of domains.
        num_classes: Number of classes.

    Returns:
        Bool `(num_domains + 1, num_classes)`.

    Raises:
        ValueError: There are too few or too many sets, a set is empty, or a class is out of range.
    """
    sizes = f"a set for each of {num_domains} domains, and perhaps for unknown ones"
    check(len(label_sets) - num_domains in (0, 1), "label_sets", sizes, len(label_sets))
    allowed = np.ones((num_domains + 1, num_classes), bool)
    for domain, classes in enumerate(label_sets):
        if classes is not None:
            known = len(classes) > 0 and set(classes) <= set(range(num_classes))
            check(known, "label_sets", f"sets of classes from 0 to {num_classes - 1}", classes)
            allowed[domain] = np.isin(np.arange(num_classes), list(classes))
    return allowed


def within(logits: Tensor, allowed: np.ndarray, domains: Tensor) -> Tensor:
    """Put the logits of classes that a text's domain does not have out of reach.

    Args:
        logits: `(batch, num_classes)` float32.
        allowed: Of `allowed_classes`.
        domains: `(batch,)` or `(batch, 1)` int.
    """
    domains, inside = codes(domains, len(allowed) - 1, "domain")
    rows = ops.where(inside, domains, len(allowed) - 1)
    return ops.where(ops.take(ops.convert_to_tensor(allowed), rows, axis=0), logits, OUT_OF_REACH)
