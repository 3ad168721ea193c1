"""Batches of texts some of whose tokens are hidden, for an encoder to tell."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from easymft.data.batches.batches import Batches
from easymft.data.batches.tokenized import TokenizedTexts

_HIDDEN, _REPLACED = 0.8, 0.1  # shares of the chosen tokens; the others stay as they are
_DRAW = 1  # beside seed and step, so that it is another draw than that of the texts' order


@dataclass(frozen=True)
class Masking:
    """How tokens are hidden: what keras-hub's `MaskedLMMaskGenerator` does, drawn from a seed.

    That layer draws from generators of the whole process, from which a killed training could not
    go on with the same masks; and it needs TensorFlow, which other backends do without.

    Of a text's tokens a share is chosen, one at least. Of these 80 % become the mask, 10 % another
    token drawn at random, and 10 % stay (Devlin et al.: BERT, NAACL 2019).

    Attributes:
        mask_id: The token that hides another.
        special_ids: Tokens that are never chosen, the padding among them.
        vocabulary_size: Number of tokens.
        rate: Share of a text's tokens that is chosen.
    """

    mask_id: int
    special_ids: tuple[int, ...]
    vocabulary_size: int
    rate: float = 0.15

    def hide(self, token_ids: np.ndarray, seed: int, step: int) -> tuple[np.ndarray, ...]:
        """Hide tokens of the whole batch of a step.

        Args:
            token_ids: int32 `(batch, length)`.
            seed: Seed of the masks.
            step: The step, whose masks are always the same.

        Returns:
            The tokens to read, int32 `(batch, length)`; positions of the chosen ones and the tokens
            that stood there, int32 `(batch, slots)`; and bool `(batch, slots)`, which slots are
            used. There are as many slots as a text of the whole length has chosen tokens.
        """
        random = np.random.Generator(np.random.PCG64([seed, step, _DRAW]))
        eligible = ~np.isin(token_ids, self.special_ids)
        counts = np.minimum(_share(self.rate, eligible.sum(axis=1)), eligible.sum(axis=1))
        ranks = np.where(eligible, random.random(token_ids.shape), 2.0)
        positions = np.argsort(ranks, axis=1)[:, : _share(self.rate, token_ids.shape[1])]
        used = np.arange(positions.shape[1]) < counts[:, None]
        positions = np.where(used, positions, 0)
        told = np.take_along_axis(token_ids, positions, axis=1)
        fate = random.random(positions.shape)
        replaced = random.integers(self.vocabulary_size, size=positions.shape)
        shown = np.where(fate < _HIDDEN + _REPLACED, replaced, told)
        shown = np.where(fate < _HIDDEN, self.mask_id, shown)
        read, rows = token_ids.copy(), np.nonzero(used)[0]
        read[rows, positions[used]] = shown[used]
        return read, positions.astype(np.int32), told.astype(np.int32), used


def _share(rate: float, tokens: Any) -> Any:
    """Return how many of so many tokens are chosen; one at least."""
    return np.maximum(np.floor(rate * np.asarray(tokens) + 0.5).astype(int), 1)


class MaskedBatches(Batches):
    """`Batches` for `MaskedLanguageModel`: batch i is `(inputs, tokens, weights)`.

    `inputs` also holds `mask_positions`, `(batch, slots)` int32; the tokens that stood there are
    `(batch, slots)` int32, and the weights float32, 0 in unused slots and otherwise such that the
    mean over all slots of the whole batch is the mean over its hidden tokens.

    Args:
        masking: How tokens are hidden; drawn by `seed`, anew for every step.
        **kwargs: Of `Batches`, with a `seed`.
    """

    def __init__(
        self,
        tokens: TokenizedTexts,
        rows: np.ndarray,
        batch_size: int,
        *,
        masking: Masking,
        seed: int,
        **kwargs: Any,
    ):
        super().__init__(tokens, rows, batch_size, seed=seed, **kwargs)
        self._arguments["masking"] = masking
        self._masking, self._mask_seed = masking, seed

    def _batch(
        self, step: int, texts: np.ndarray, own: np.ndarray, width: int
    ) -> tuple[dict[str, np.ndarray], ...]:
        # All of the batch, so that a shard's masks are those of the whole.
        whole = self._inputs(texts, width)
        read, positions, told, used = self._masking.hide(whole["token_ids"], self._mask_seed, step)
        weights = used * np.float32(used.size / max(used.sum(), 1))
        inputs = {**whole, "token_ids": read, "mask_positions": positions}
        inputs = {name: array[own] for name, array in inputs.items()}
        return inputs, told[own], weights[own].astype(np.float32)

    def _signature(self) -> Any:
        import tensorflow as tf

        def of_any_shape(array: np.ndarray) -> Any:
            return tf.TensorSpec([None] * array.ndim, array.dtype)

        return keras.tree.map_structure(of_any_shape, self[0])
