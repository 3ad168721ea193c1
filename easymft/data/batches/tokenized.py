"""From texts to token ids: once per corpus, tokenizer and length, kept on disk without padding."""

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from easymft import files
from easymft.data.batches.tf_datasets import without_autotuning
from easymft.data.batches.tokenized_texts import TokenizedTexts
from easymft.data.corpus.pieces import beginnings, chunks, stretch
from easymft.data.corpus.schema import Corpus
from easymft.errors import InputError
from easymft.progress import progress_bar

logger = logging.getLogger(__name__)

GRAPH_FROM = 500  # fewer texts are done before a graph is traced
_FORMAT = 2


def tokenize(
    corpus: Corpus,
    preprocessor: Any,
    max_length: int,
    cache_dir: str | os.PathLike,
    fingerprint: str | None = None,
) -> TokenizedTexts:
    """Tokenize and pack a corpus, or find it in the cache.

    A text becomes `[CLS] a [SEP]`, a pair `[CLS] a [SEP] b [SEP]` (with the special tokens of the
    preprocessor's own model), cut to `max_length` as the preprocessor's packer does. Memory is
    bounded by a chunk of texts, whatever the size of the corpus.

    Args:
        corpus: The texts.
        preprocessor: A `keras_hub.models.TextClassifierPreprocessor` with `truncate="waterfall"`.
        max_length: Tokens kept of a text or pair, special tokens included.
        cache_dir: Folder of the cache.
        fingerprint: Names the preprocessor in the cache; by default `preprocessor_fingerprint`.

    Returns:
        The tokens, memory-mapped from the cache; or, where it cannot be written, from a temporary
        folder of this process.

    Raises:
        ValueError: The preprocessor truncates pairs in another way.
        InputError: There is no room for the tokens.
    """
    if preprocessor.truncate != "waterfall":
        # The other way puts an op in exported graphs that many servers lack.
        raise ValueError(
            "`preprocessor` must truncate as exported models do: load it with "
            f'truncate="waterfall". Received: truncate={preprocessor.truncate!r}'
        )
    fingerprint = fingerprint or preprocessor_fingerprint(preprocessor)
    key = json.dumps([_FORMAT, max_length, fingerprint, corpus_fingerprint(corpus)])
    folder = Path(cache_dir) / f"tokens-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    with contextlib.suppress(OSError, ValueError, TypeError):  # not there, or damaged since
        return TokenizedTexts.load(folder)
    if obstacle := files.obstacle(folder):
        logger.warning(
            "The tokens are not kept for later runs: %s; $EASYMFT_CACHE_DIR names another folder.",
            obstacle,
        )
        folder = Path(_own_folder().name, folder.name)
    try:
        with files.staged(folder) as temporary:
            temporary.mkdir()
            _tokenize_into(temporary, corpus, preprocessor, max_length)
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror}); name a folder with room in $EASYMFT_CACHE_DIR",
            file=folder.parent,
        ) from None
    return TokenizedTexts.load(folder)


@contextlib.contextmanager
def tokenized(corpus: Corpus, preprocessor: Any) -> Iterator[TokenizedTexts]:
    """Yield the corpus's tokens while the block runs; nothing of them stays on disk.

    Args:
        corpus: The texts.
        preprocessor: See `easymft.models.load_preprocessor`.
    """
    with tempfile.TemporaryDirectory(prefix="easymft-") as folder:
        # The cache lives as long as this one preprocessor does: its name there says nothing.
        yield tokenize(corpus, preprocessor, preprocessor.sequence_length, folder, "in memory")


@functools.cache
def _own_folder() -> tempfile.TemporaryDirectory:
    """Return a folder that goes with this process."""
    return tempfile.TemporaryDirectory(prefix="easymft-")


def corpus_fingerprint(corpus: Corpus) -> str:
    """Return a hash of texts, labels and domains in their order."""
    columns = [*corpus.text_columns, "label", "domain"]
    digest = hashlib.sha256()
    for chunk in chunks(corpus.table.select(columns)):
        digest.update(json.dumps(chunk.to_pydict()).encode())
    return digest.hexdigest()


def preprocessor_fingerprint(preprocessor: Any) -> str:
    """Return a hash of what decides the tokens: class, settings, vocabulary, library version."""
    tokenizer = preprocessor.tokenizer
    config = {key: value for key, value in tokenizer.get_config().items() if key != "name"}
    classes = [type(preprocessor).__name__, type(tokenizer).__name__]
    version = importlib.metadata.version("keras-hub")
    digest = hashlib.sha256(json.dumps([classes, config, version], default=str).encode())
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_assets(folder)
        for path in sorted(Path(folder).iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _tokenize_into(folder: Path, corpus: Corpus, preprocessor: Any, max_length: int) -> None:
    """Write a `TokenizedTexts` into `folder`, chunk by chunk."""
    if not preprocessor.built:
        preprocessor.build(None)
    tokenizer = preprocessor.tokenizer
    pad_id, unknown_id = tokenizer.pad_token_id, _unknown_id(tokenizer)
    lengths, second_starts, pieces, unknown = [], [], [], []
    with (
        open(folder / "token_ids.npy", "wb") as file,
        progress_bar("tokenize", len(corpus), unit="text") as bar,
    ):
        _write_header(file, 0)
        for token_ids, segment_ids, counts in _packed(corpus, preprocessor, max_length):
            kept = token_ids != pad_id
            file.write(token_ids[kept].astype(np.int32).tobytes())
            lengths.append(kept.sum(1))
            second_starts.append((kept & (segment_ids == 0)).sum(1, dtype=np.int32))
            pieces.append(counts)
            unknown.append((token_ids == unknown_id).sum(1, dtype=np.int32))
            bar.update(len(token_ids))
        offsets = np.concatenate([[0], *lengths]).cumsum(dtype=np.int64)
        file.seek(0)
        _write_header(file, offsets[-1])
    packer, columns = preprocessor.packer, corpus.text_columns
    special_tokens = len(packer.start_value) + len(packer.end_value)
    special_tokens += (len(columns) - 1) * len(packer.sep_value)
    longer = stretch(corpus, max_length)
    whole_lengths = special_tokens + (np.concatenate(pieces) * longer).sum(axis=1)
    TokenizedTexts(
        token_ids=np.array([], np.int32),  # stands in the folder
        offsets=offsets,
        second_start=np.concatenate(second_starts),
        labels=corpus.table["label"].to_numpy(),
        domains=corpus.table["domain"].to_numpy(),
        max_length=max_length,
        pad_id=pad_id,
        whole_lengths=np.ceil(whole_lengths).astype(np.int32),
        unknown=np.concatenate(unknown),
        special_tokens=special_tokens,
        estimated=int((longer > 1).any(axis=1).sum()),
    ).write(folder, without=("token_ids",))


def _packed(
    corpus: Corpus, preprocessor: Any, max_length: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield what becomes of a chunk of texts.

    Yields:
        Token ids and segment ids, each `(chunk, max_length)`, and the number of word pieces before
        cutting, `(chunk, segments)`.
    """

    def pack(*segments):
        tokens = tuple(preprocessor.tokenizer(segment) for segment in segments)
        return *preprocessor.packer(tokens, sequence_length=max_length), tokens

    if len(corpus) < GRAPH_FROM or importlib.util.find_spec("tensorflow_text") is None:
        for segments in beginnings(corpus, max_length):
            token_ids, segment_ids, tokens = pack(*segments)
            counts = [[len(row) for row in segment] for segment in tokens]
            yield np.asarray(token_ids), np.asarray(segment_ids), np.transpose(counts)
        return
    # The graph of TensorFlow ops tokenizes 10 to 25 times faster than keras-hub's Python does.
    import tensorflow as tf

    def counted(*segments):
        token_ids, segment_ids, tokens = pack(*segments)
        return token_ids, segment_ids, tf.stack([part.row_lengths() for part in tokens], 1)

    signature = tuple(tf.TensorSpec([None], tf.string) for _ in corpus.text_columns)
    dataset = tf.data.Dataset.from_generator(
        lambda: beginnings(corpus, max_length), output_signature=signature
    )
    dataset = dataset.map(counted, num_parallel_calls=os.cpu_count())
    yield from without_autotuning(dataset).as_numpy_iterator()


def _unknown_id(tokenizer: Any) -> int:
    """Return the token that stands for what the vocabulary lacks; -1 where it lacks nothing."""
    import keras_hub

    if isinstance(tokenizer, keras_hub.tokenizers.WordPieceTokenizer):
        return tokenizer.token_to_id(tokenizer.oov_token)
    if isinstance(tokenizer, keras_hub.tokenizers.SentencePieceTokenizer):
        return tokenizer.token_to_id("\0")  # as any piece that it does not have
    return -1  # byte pairs, down to single bytes


def _write_header(file, count: int) -> None:
    """Write an .npy header of a flat int32 array; numpy leaves room in it for the array to grow."""
    descr = np.lib.format.dtype_to_descr(np.dtype(np.int32))
    header = {"descr": descr, "fortran_order": False, "shape": (int(count),)}
    np.lib.format.write_array_header_1_0(file, header)
