"""Runs of recipes: their stages and folders, sweeps and searches."""

STAGE_NAMES = (
    "validate",
    "adapt",
    "typicality",
    "meta_fine_tune",
    "self_train",
    "fine_tune",
    "cross_fit",
    "evaluate",
    "diagnose",
    "report",
    "export",
)
"""The stages in their order; here, so that the command line's help needs no TensorFlow."""
