"""What a run's held-out texts look like, for whoever compares served texts with them."""

import numpy as np
import pyarrow as pa
from keras import ops

from easymft.data.batches.tokenized import TokenizedTexts
from easymft.methods.evaluation import probability_matrix
from easymft.methods.familiarity import token_ids_of
from easymft.models.answer_rules import AnswerRules
from easymft.models.familiarity import Familiarity


def reference_table(
    predictions: pa.Table,
    rows: np.ndarray,
    tokens: TokenizedTexts,
    words: np.ndarray,
    familiarity: Familiarity,
    rules: AnswerRules,
) -> pa.Table:
    """Return `reference.parquet`, a row a held-out text.

    Args:
        predictions: Calibrated answers of the run's last model; see `evaluation.predictions_table`.
        rows: `(texts,)` int, the texts' rows of `tokens`, in the same order.
        tokens: The tokenized corpus.
        words: The word embeddings that `familiarity` was fitted with.
        familiarity: What is familiar to the run's models.
        rules: Thresholds of that model.

    Returns:
        `domain`, `label` (which was answered), `score`, `abstain`, `familiarity`, `unknown` (share
        of word pieces that the vocabulary lacks) and `cut` (whether the text lost its end).
    """
    codes = np.asarray(tokens.domains)[rows]
    scores = probability_matrix(predictions).max(axis=1, initial=0)
    known = familiarity.of_packed(words, token_ids_of(tokens, rows), codes)
    return pa.table(
        {
            "domain": predictions["domain"],
            "label": predictions["predicted"],
            "score": scores,
            "abstain": ops.convert_to_numpy(rules.abstains(scores, codes)),
            "familiarity": known,
            **pieces_of(tokens, rows),
        }
    )


def pieces_of(tokens: TokenizedTexts, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return `unknown`, `(rows,)` float32, and `cut`, `(rows,)` bool; see `reference_table`."""
    pieces = tokens.pieces
    number = np.maximum(pieces.kept[rows] - pieces.special_tokens, 1)
    return {
        "unknown": (pieces.unknown[rows] / number).astype(np.float32),
        "cut": pieces.cut[rows],
    }
