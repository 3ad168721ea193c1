"""From texts to token ids: once per corpus, tokenizer and length, kept on disk without padding."""

import contextlib
import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from easymft import files
from easymft.data.batches.tf_datasets import without_autotuning
from easymft.data.corpus.schema import Corpus
from easymft.errors import InputError
from easymft.progress import progress_bar

# A text is tokenized whole before it is cut, so characters that cannot matter are cut first.
# English word pieces have 4 to 5 characters; 16 leaves room for long words and runs of spaces.
CHARACTERS_PER_TOKEN = 16
GRAPH_FROM = 500  # fewer texts are done before a graph is traced
CHUNK = 4096  # texts tokenized at a time: the bound on memory
_FORMAT = 1
_ARRAYS = ("token_ids", "offsets", "second_start", "labels", "domains")


@dataclasses.dataclass(frozen=True, eq=False)
class TokenizedTexts:
    """Packed token ids of a corpus, row by row, without padding.

    Args:
        token_ids: int32 `(tokens,)`, all texts one after another, special tokens included.
        offsets: int64 `(texts + 1,)`; text i is `token_ids[offsets[i]:offsets[i + 1]]`.
        second_start: int32 `(texts,)`, the position in the text where segment 1 begins; the
            text's length where there is no second segment.
        labels: int32 `(texts,)`.
        domains: int32 `(texts,)`.
        max_length: The length that texts were cut to.
        pad_id: The token id to pad with.
    """

    token_ids: np.ndarray
    offsets: np.ndarray
    second_start: np.ndarray
    labels: np.ndarray
    domains: np.ndarray
    max_length: int
    pad_id: int = 0

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, `(texts,)`, special tokens included."""
        return np.diff(self.offsets)

    def save(self, folder: str | os.PathLike) -> None:
        """Write one .npy file an array, all or nothing."""
        with files.staged(folder) as temporary:
            temporary.mkdir()
            for name in _ARRAYS:
                np.save(temporary / f"{name}.npy", getattr(self, name), allow_pickle=False)
            _save_settings(temporary, self.max_length, self.pad_id)

    @classmethod
    def load(cls, folder: str | os.PathLike, mmap: bool = True) -> "TokenizedTexts":
        """Read what `save` wrote.

        Args:
            folder: The folder.
            mmap: Leave the arrays on disk and read what is used.
        """
        folder, mode = Path(folder), "r" if mmap else None
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode=mode, allow_pickle=False)
            for name in _ARRAYS
        }
        return cls(**arrays, **files.read_json(folder / "settings.json"))


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
        The tokens, memory-mapped from the cache.

    Raises:
        ValueError: The preprocessor truncates pairs in another way.
        InputError: The cache cannot be written.
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
    try:
        with files.staged(folder) as temporary:
            temporary.mkdir()
            _tokenize_into(temporary, corpus, preprocessor, max_length)
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror}); name a folder with room in $EASYMFT_CACHE_DIR",
            file=cache_dir,
        ) from None
    return TokenizedTexts.load(folder)


def corpus_fingerprint(corpus: Corpus) -> str:
    """A hash of texts, labels and domains in their order."""
    columns = [*corpus.text_columns, "label", "domain"]
    digest = hashlib.sha256()
    for chunk in _chunks(corpus.table.select(columns)):
        digest.update(json.dumps(chunk.to_pydict()).encode())
    return digest.hexdigest()


def preprocessor_fingerprint(preprocessor: Any) -> str:
    """A hash of what decides the tokens: class, settings, vocabulary files, library version."""
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
    """Write the arrays of `TokenizedTexts` into `folder`, chunk by chunk."""
    pad_id = preprocessor.tokenizer.pad_token_id
    lengths, second_starts = [], []
    with (
        open(folder / "token_ids.npy", "wb") as file,
        progress_bar("tokenize", len(corpus), unit="text") as bar,
    ):
        _write_header(file, 0)
        for token_ids, segment_ids in _packed(corpus, preprocessor, max_length):
            kept = token_ids != pad_id
            file.write(token_ids[kept].astype(np.int32).tobytes())
            lengths.append(kept.sum(1))
            second_starts.append((kept & (segment_ids == 0)).sum(1, dtype=np.int32))
            bar.update(len(token_ids))
        offsets = np.concatenate([[0], *lengths]).cumsum(dtype=np.int64)
        file.seek(0)
        _write_header(file, offsets[-1])
    arrays = {
        "offsets": offsets,
        "second_start": np.concatenate(second_starts),
        "labels": corpus.table["label"].to_numpy(),
        "domains": corpus.table["domain"].to_numpy(),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    _save_settings(folder, max_length, pad_id)


def _packed(
    corpus: Corpus, preprocessor: Any, max_length: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield token ids and segment ids of a chunk of texts, each `(chunk, max_length)`."""
    if not preprocessor.built:
        preprocessor.build(None)
    columns = corpus.text_columns

    def texts() -> Iterator[tuple[list[str], ...]]:
        for chunk in _chunks(corpus.table.select(columns)):
            cut = [
                pc.utf8_slice_codeunits(chunk[name], 0, CHARACTERS_PER_TOKEN * max_length)
                for name in columns
            ]
            yield tuple(column.to_pylist() for column in cut)

    def pack(*segments):
        tokens = tuple(preprocessor.tokenizer(segment) for segment in segments)
        return preprocessor.packer(tokens, sequence_length=max_length)

    if len(corpus) < GRAPH_FROM or importlib.util.find_spec("tensorflow_text") is None:
        for segments in texts():
            yield tuple(np.asarray(array) for array in pack(*segments))
        return
    # The graph of TensorFlow ops tokenizes 10 to 25 times faster than keras-hub's Python does.
    import tensorflow as tf

    signature = tuple(tf.TensorSpec([None], tf.string) for _ in columns)
    dataset = tf.data.Dataset.from_generator(texts, output_signature=signature)
    dataset = dataset.map(pack, num_parallel_calls=os.cpu_count())
    yield from without_autotuning(dataset).as_numpy_iterator()


def _chunks(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, len(table), CHUNK):
        yield table.slice(start, CHUNK)


def _write_header(file, count: int) -> None:
    """Write an .npy header of a flat int32 array; numpy leaves room in it for the array to grow."""
    descr = np.lib.format.dtype_to_descr(np.dtype(np.int32))
    header = {"descr": descr, "fortran_order": False, "shape": (int(count),)}
    np.lib.format.write_array_header_1_0(file, header)


def _save_settings(folder: Path, max_length: int, pad_id: int) -> None:
    files.write_json(folder / "settings.json", {"max_length": max_length, "pad_id": int(pad_id)})
