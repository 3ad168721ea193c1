"""The stages of a run: each is a function of the `Run` that returns facts for its marker."""

import importlib
from collections.abc import Callable
from typing import Any

STAGES = {
    "validate": "validation",
    "adapt": "adaptation",
    "typicality": "training",
    "meta_fine_tune": "training",
    "self_train": "self_training",
    "fine_tune": "training",
    "cross_fit": "cross_fitting",
    "evaluate": "results",
    "diagnose": "results",
    "report": "results",
    "export": "results",
}
"""In which module of this folder the function of each stage is."""


def stage(name: str) -> Callable[[Any], dict[str, Any]]:
    """Return the function of a stage.

    It is imported now: what trains starts Keras, which `validate` does without.
    """
    return getattr(importlib.import_module(f"{__name__}.{STAGES[name]}"), name)
