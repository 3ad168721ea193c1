"""Texts that stand on both sides of a split leave training, which would learn them by heart."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from easymft.data.corpus.parts import HELD_OUT_PARTS, UNLABELED, Splits, joined_rows
from easymft.data.corpus.schema import Corpus


def drop_leaks(corpus: Corpus, splits: Splits) -> tuple[Splits, dict[str, int]]:
    """Take texts of dev and test out of training, and texts of test out of dev.

    Two texts (pairs) are the same when they differ at most by case, white space or Unicode
    composition; labels and domains do not matter.

    Returns:
        The smaller splits, in the order they were, and how many texts each part lost.
    """
    keys = _text_keys(corpus)
    held_out = keys[joined_rows(splits, HELD_OUT_PARTS)]
    tested = keys[splits["test"]]
    others = {"test": tested[:0]}
    others |= dict.fromkeys(("train", "left_out_train", UNLABELED), held_out)
    repeated = {
        part: np.isin(keys[rows], others.get(part, tested)) for part, rows in splits.items()
    }
    kept = {part: rows[~repeated[part]] for part, rows in splits.items()}
    return kept, {part: int(found.sum()) for part, found in repeated.items()}


def _text_keys(corpus: Corpus) -> np.ndarray:
    """Return one integer per distinct normalised text (pair), `(rows,)`."""
    normal = [_normalise(corpus.table[column]) for column in corpus.text_columns]
    joined = pc.binary_join_element_wise(*normal, "\x1f") if len(normal) > 1 else normal[0]
    return joined.combine_chunks().dictionary_encode().indices.to_numpy()


def _normalise(column: pa.ChunkedArray) -> pa.ChunkedArray:
    folded = pc.utf8_lower(pc.utf8_normalize(pc.fill_null(column, ""), "NFC"))
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(folded, r"[\s\p{Z}]+", " "))
