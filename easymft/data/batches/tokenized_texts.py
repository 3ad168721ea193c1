"""Token ids of a corpus without padding, in memory or on disk."""

import os
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from easymft import files
from easymft.data.corpus.pieces import Pieces

_ARRAYS = ("token_ids", "offsets", "second_start", "labels", "domains")
# Not in what earlier versions wrote.
_COUNTS = ("whole_lengths", "unknown")
_SETTINGS = ("max_length", "pad_id", "special_tokens", "estimated")


@dataclass(frozen=True, eq=False)
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
        whole_lengths: int32 `(texts,)`, tokens of each text before it was cut; None where an
            earlier version wrote the tokens.
        unknown: int32 `(texts,)`, tokens kept of each that stand for what the vocabulary lacks.
        special_tokens: Special tokens of every text.
        estimated: Number of `whole_lengths` that are estimates.
    """

    token_ids: np.ndarray
    offsets: np.ndarray
    second_start: np.ndarray
    labels: np.ndarray
    domains: np.ndarray
    max_length: int
    pad_id: int = 0
    whole_lengths: np.ndarray | None = None
    unknown: np.ndarray | None = None
    special_tokens: int = 0
    estimated: int = 0

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens kept of each text, `(texts,)`, special tokens included."""
        return np.diff(self.offsets)

    @property
    def pieces(self) -> Pieces:
        """What the tokenizer made of the texts."""
        kept, whole = self.lengths, self.whole_lengths
        return Pieces(
            lengths=kept if whole is None else np.asarray(whole),
            kept=kept,
            max_length=self.max_length,
            unknown=np.zeros_like(kept) if self.unknown is None else np.asarray(self.unknown),
            special_tokens=self.special_tokens,
            estimated=self.estimated,
            are_whole=whole is not None,
        )

    def save(self, folder: str | os.PathLike) -> None:
        """Write one .npy file an array, all or nothing."""
        with files.staged(folder) as temporary:
            temporary.mkdir()
            self.write(temporary)

    def write(self, folder: Path, without: Container[str] = ()) -> None:
        """Write the arrays and settings into a folder, but for the arrays named."""
        for name in (*_ARRAYS, *_COUNTS):
            array = getattr(self, name)
            if array is not None and name not in without:
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
        settings = {name: int(getattr(self, name)) for name in _SETTINGS}
        files.write_json(folder / "settings.json", settings)

    @classmethod
    def load(cls, folder: str | os.PathLike, mmap: bool = True) -> "TokenizedTexts":
        """Read what `save` wrote, in this version or an earlier one.

        Args:
            folder: The folder.
            mmap: Leave the arrays on disk and read what is used.
        """
        folder, mode = Path(folder), "r" if mmap else None
        counts = [name for name in _COUNTS if (folder / f"{name}.npy").is_file()]
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode=mode, allow_pickle=False)
            for name in (*_ARRAYS, *counts)
        }
        return cls(**arrays, **files.read_json(folder / "settings.json"))
