"""Meta fine-tuning for text classification over several domains.

The Keras layers and models are imported on first use, so that `import easymft` starts nothing:

- `TypicalityWeighting`, `DomainCorruptionHead`, `GradientReversal`, `MaskedMeanPooling`: layers
  for any functional model.
- `MFTTextClassifier`, `TextClassifier`, `MultiTaskTextClassifier`, `AdversarialTextClassifier`:
  models trained on texts with Keras' own `compile` and `fit`.
- `MFTClassifier`: the whole method behind scikit-learn's `fit` and `predict`.
- `typicality_scores(texts, labels, domains)`: how typical each text is of its class.
- `audit(texts, labels, domains)`: which labels may be wrong, as a data frame.
- `load_config`, `Config`: recipes. `python -m easymft.run --help`: the command line.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "AdversarialTextClassifier": "easymft.models",
    "Config": "easymft.config",
    "DomainCorruptionHead": "easymft.layers",
    "GradientReversal": "easymft.layers",
    "InputError": "easymft.errors",
    "MFTClassifier": "easymft.in_memory.mft_classifier",
    "MFTTextClassifier": "easymft.models",
    "MaskedMeanPooling": "easymft.layers",
    "MultiTaskTextClassifier": "easymft.models",
    "TextClassifier": "easymft.models",
    "TypicalityWeighting": "easymft.layers",
    "audit": "easymft.auditing.lists",
    "load_config": "easymft.config.loading",
    "typicality_scores": "easymft.in_memory.typicality_scores",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'easymft' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
