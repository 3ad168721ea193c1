"""Corpora: where texts come from, how they are checked, split and fed to a model.

Importing this package makes the builders `amazon_reviews` and `multi_nli_genre` known to
`tfds.load`, before or after TensorFlow Datasets itself is imported; it does not import it.
"""

import importlib

import wrapt


@wrapt.when_imported("tensorflow_datasets")
def _register_builders(_tfds) -> None:
    """Define our builders once TFDS is there: it registers a class when it is defined."""
    importlib.import_module("easymft.data.sources.builders")
