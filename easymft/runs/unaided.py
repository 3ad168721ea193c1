"""Validation in a second: recipes whose data can be checked without starting TensorFlow."""

import contextlib
import os

from easymft.config import Config
from easymft.data.corpus.word_pieces import SPECIAL_TOKENS, WordPieces
from easymft.data.sources import packed
from easymft.data.sources.tfds_source import TFDS_PREFIX
from easymft.devices.cluster import addresses_of_environment
from easymft.fetch.preset_folder import (
    check_sizes,
    is_bert,
    local_config,
    local_folder,
    normalization,
    word_pieces,
)
from easymft.runs.untrained_run import UntrainedRun


def unaided_run(config: Config) -> UntrainedRun | None:
    """Return a run whose stage `validate` starts neither Keras nor TensorFlow.

    Args:
        config: The complete recipe.

    Returns:
        The run; `None` where the data, the devices, the settings or the encoder's tokenizer have
        to be asked of them. Both ways lead to the same report.

    Raises:
        InputError: The encoder's folder and the recipe do not fit together.
    """
    if _reads_tensorflow(config) or _asks_devices(config) or config.mft.corruption_layers:
        return None
    counter = _counter(config)
    return None if counter is None else UntrainedRun(config, counter)


def _reads_tensorflow(config: Config) -> bool:
    """Return whether the texts, or their tokens, are kept in TensorFlow's formats."""
    return config.data.source == packed.NAME or config.data.source.startswith(TFDS_PREFIX)


def _asks_devices(config: Config) -> bool:
    """Return whether several devices may do the run, to which not all settings are open."""
    strategy = config.distribution.strategy
    if strategy == "one_device":
        return False
    phases = config.meta_fine_tune, config.fine_tune
    in_parts = any(phase.gradient_accumulation_steps > 1 for phase in phases)
    return strategy != "auto" or in_parts or "TPU_NAME" in os.environ or _has_workers()


def _has_workers() -> bool:
    return len(addresses_of_environment()) > 1


def _counter(config: Config) -> WordPieces | None:
    """Return what counts the encoder's word pieces; `None` where that is no BERT's of a folder."""
    folder = local_folder(config.backbone.preset)
    settings = None if folder is None else local_config(str(folder))
    if folder is None or settings is None or not is_bert(settings):
        return None
    pieces: list[str] = []
    # keras-hub says what is wrong with a vocabulary.
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
        pieces, cleaning = word_pieces(folder) or [], normalization(folder)
    if len(set(pieces)) < len(pieces) or not set(SPECIAL_TOKENS) <= set(pieces):
        return None
    check_sizes(settings, len(pieces), config.backbone.max_length)
    return WordPieces(pieces, **cleaning)
